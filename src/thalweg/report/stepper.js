// Graphs that are gone through step by step: buttons, a slider, arrow keys, space.
document.querySelectorAll(".stepper").forEach((stepper) => {
  const { states } = JSON.parse(stepper.querySelector("script").textContent);
  const find = (selector) => stepper.querySelector(selector);
  const slider = find("input"), now = find(".now"), play = find(".play");
  const last = states.length - 1;
  const parts = [...stepper.querySelectorAll("[data-node],[data-edge]")];
  let at = 0, timer = 0;

  const show = (step) => {
    at = Math.min(Math.max(step, 0), last);
    // What is said is what the latest step said; before any, what the graph began with.
    const said = { nodes: {}, edges: {} };
    for (const state of states.slice(0, at + 1)) {
      Object.assign(said.nodes, state.nodes);
      Object.assign(said.edges, state.edges);
    }
    const active = new Set(states[at].active);
    for (const part of parts) {
      const { node, edge } = part.dataset;
      const lines = node === undefined ? said.edges[edge] : said.nodes[node];
      part.classList.toggle("on", active.has(node ?? edge));
      if (lines) part.querySelectorAll(".said").forEach((text, i) => (text.textContent = lines[i] ?? ""));
    }
    now.textContent = at ? states[at].text : "Before the first step. Next, or →, goes on.";
    slider.value = at;
    slider.setAttribute("aria-valuetext", `step ${at} of ${last}`);
    find("output").textContent = `${at} of ${last}`;
    find(".back").disabled = at === 0;
    find(".next").disabled = at === last;
  };
  const pause = () => {
    clearTimeout(timer);
    timer = 0;
    play.textContent = "Play";
  };
  const go = (step) => {
    pause();
    show(step);
  };
  // A step stays as long as its sentence takes to be read.
  const wait = () => {
    timer = setTimeout(() => {
      show(at + 1);
      if (at === last) pause();
      else wait();
    }, 900 + 40 * now.textContent.length);
  };
  const toggle = () => {
    if (timer) return pause();
    if (at === last) show(0);
    play.textContent = "Pause";
    wait();
  };

  find(".back").addEventListener("click", () => go(at - 1));
  find(".next").addEventListener("click", () => go(at + 1));
  play.addEventListener("click", toggle);
  slider.addEventListener("input", () => go(+slider.value));
  stepper.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const keys = { ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), " ": toggle,
                   Home: () => go(0), End: () => go(last) };
    // The slider moves by itself, and space presses what has the focus.
    const own = target === slider ? key !== " " : target !== stepper && key === " ";
    if (!(key in keys) || own || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[key]();
  });
  const before = { step: 0, open: false };
  addEventListener("beforeprint", () => {
    Object.assign(before, { step: at, open: find(".steps").open });
    find(".steps").open = true;
    go(last);
  });
  addEventListener("afterprint", () => {
    find(".steps").open = before.open;
    show(before.step);
  });

  find(".controls").hidden = now.hidden = false;
  find(".steps").open = false;
  show(0);
});
