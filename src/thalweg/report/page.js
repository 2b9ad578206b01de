// Read-outs under the pointer, lines that step forward when their name is pointed at, and folded
// sections opened for print.
(() => {
  const figures = JSON.parse(document.getElementById("data").textContent);
  const read = document.createElement("div");
  read.id = "read";
  read.hidden = true;
  document.body.append(read);

  const number = (v) => {
    if (v === null || v === undefined) return "–";
    const size = Math.abs(v);
    if (size >= 1e6 || (size > 0 && size < 1e-4)) return v.toExponential(2).replace("-", "−");
    return v.toLocaleString("en", { maximumSignificantDigits: 4 }).replace("-", "−");
  };
  const add = (parent, tag, text) => {
    const child = document.createElement(tag);
    if (text !== undefined) child.textContent = text;
    parent.append(child);
    return child;
  };
  const show = (event) => {
    read.hidden = false;
    const { width, height } = read.getBoundingClientRect();
    const right = event.clientX + 16 + width < innerWidth - 8;
    const x = right ? event.clientX + 16 : Math.max(8, event.clientX - width - 16);
    const y = Math.min(event.clientY + 16, innerHeight - height - 8);
    read.style.left = `${x}px`;
    read.style.top = `${Math.max(8, y)}px`;
  };
  const hide = () => {
    read.hidden = true;
    document.querySelectorAll(".ruler").forEach((ruler) => ruler.remove());
  };

  // Where a value lies between the limits of an axis, and back.
  const axis = (text) => {
    const [kind, low, high] = text.split(" ");
    const log = kind === "log";
    const [a, b] = log ? [Math.log(+low), Math.log(+high)] : [+low, +high];
    return { share: (v) => ((log ? Math.log(v) : v) - a) / (b - a),
             value: (s) => (log ? Math.exp(a + s * (b - a)) : a + s * (b - a)) };
  };
  const nearest = (values, x, horizontal) => {
    let best = 0;
    const from = horizontal.share(x);
    values.forEach((v, i) => {
      const nearer = Math.abs(horizontal.share(v) - from) < Math.abs(horizontal.share(values[best]) - from);
      if (nearer) best = i;
    });
    return best;
  };

  const curves = (svg, event) => {
    const [figure, panel] = svg.dataset.panel.split(".").map(Number);
    const { lines, x: name } = figures[figure].panels[panel];
    const [left, top, right, bottom] = svg.dataset.box.split(" ").map(Number);
    const horizontal = axis(svg.dataset.x);
    const area = svg.getBoundingClientRect();
    const place = ((event.clientX - area.left) / area.width) * svg.viewBox.baseVal.width;
    if (!lines.length || place < left - 8 || place > right + 8) return hide();
    const at = horizontal.value(Math.min(Math.max((place - left) / (right - left), 0), 1));
    const rows = lines.filter((line) => line.x.length).map((line) => {
      const i = nearest(line.x, at, horizontal);
      return { line, x: line.x[i], y: line.y[i], low: line.low[i], high: line.high[i] };
    });
    if (!rows.length) return hide();
    rows.sort((a, b) => (b.y ?? -Infinity) - (a.y ?? -Infinity));
    hide();
    const ruler = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const pixel = left + horizontal.share(rows[0].x) * (right - left);
    ruler.setAttribute("d", `M${pixel} ${top}V${bottom}`);
    ruler.setAttribute("stroke", "var(--axis)");
    ruler.setAttribute("class", "ruler");
    ruler.setAttribute("pointer-events", "none");
    svg.append(ruler);
    read.replaceChildren();
    add(read, "b", `${name || "x"} ${number(rows[0].x)}`);
    for (const { line, y, low, high } of rows) {
      const row = add(read, "div");
      add(row, "i").style.background = line.colour;
      row.append(`${line.name} `);
      add(row, "b", number(y));
      if (line.low.length) add(row, "small", ` ${number(low)} to ${number(high)}`);
    }
    show(event);
  };

  document.addEventListener("pointermove", (event) => {
    const marked = event.target.closest?.("[data-read]");
    const svg = event.target.closest?.("svg.lines");
    if (marked) {
      hide();
      read.textContent = marked.dataset.read;
      show(event);
    } else if (svg?.dataset.panel) curves(svg, event);
    else if (!read.hidden) hide();
  });
  document.addEventListener("click", (event) => {
    const svg = event.target.closest?.(".panel")?.querySelector(".mover") && event.target.closest(".panel > svg");
    if (svg) svg.animationsPaused() ? svg.unpauseAnimations() : svg.pauseAnimations();
  });
  document.addEventListener("scroll", hide, { passive: true });
  addEventListener("beforeprint", () => {
    document.querySelectorAll("section > details").forEach((folded) => (folded.open = true));
  });

  document.querySelectorAll("figure .legend li[data-line]").forEach((entry) => {
    const figure = entry.closest("figure");
    const parts = () => figure.querySelectorAll("[data-line]");
    if (!figure.querySelector(".panel [data-line]")) return;
    const holders = [figure.querySelector(".legend"), figure.querySelector(".panels")];
    entry.addEventListener("pointerenter", () => {
      parts().forEach((part) => part.classList.toggle("on", part.dataset.line === entry.dataset.line));
      holders.forEach((holder) => holder.classList.add("focus"));
    });
    entry.addEventListener("pointerleave", () => {
      holders.forEach((holder) => holder.classList.remove("focus"));
    });
  });
})();
