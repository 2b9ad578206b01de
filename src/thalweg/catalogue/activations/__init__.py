"""Activations: the functions between linear maps.

``activation.py`` has the contract. Most parts are functions of every unit alone: straight lines
with a kink (``rectifiers``), curves between two limits (``sigmoidal``), smooth relatives of the
rectifier (``smooth``), and waves and bumps (``periodic``). ``learned`` holds those with a slope
that is trained or drawn, ``coupled`` those that look at several units at once.

``gain.py`` says by which factor weights make up for an activation, ``properties.py`` what else
can be computed of one.
"""

from thalweg.catalogue.activations import coupled, learned, periodic, rectifiers, sigmoidal, smooth
from thalweg.catalogue.activations.activation import Activation as Activation
from thalweg.catalogue.activations.coupled import *
from thalweg.catalogue.activations.learned import *
from thalweg.catalogue.activations.periodic import *
from thalweg.catalogue.activations.rectifiers import *
from thalweg.catalogue.activations.sigmoidal import *
from thalweg.catalogue.activations.smooth import *

# What the modules list is the family: a part is added in one of them.
__all__: list[str] = []
__all__ += coupled.__all__
__all__ += learned.__all__
__all__ += periodic.__all__
__all__ += rectifiers.__all__
__all__ += sigmoidal.__all__
__all__ += smooth.__all__
