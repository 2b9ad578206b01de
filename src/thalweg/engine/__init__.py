"""Runs what a spec says: plan, programs, waves, devices. Results go to the record, nowhere else.

Read ``plan`` (what shares a program), ``lanes`` (what one run does in it), ``program`` (how lanes
are compiled together), ``wave`` (a program's runs from start to end), ``train`` (all of them).
"""
