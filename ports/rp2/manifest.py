# What is frozen into the firmware of a Pico W, as in
#   make BOARD=RPI_PICO_W FROZEN_MANIFEST=/path/to/ports/rp2/manifest.py
# or, in a manifest of your own, include("/path/to/ports/rp2/manifest.py", profile="full").
# Rule: profiles minimal and standard are libraries; full is the whole bulb, which starts by itself and needs
# only /config.json in the file system.
options.defaults(profile="standard")  # noqa: F821

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821  what the port itself freezes
include("../manifest.py", profile=options.profile)  # noqa: F821
if options.profile == "full":  # noqa: F821
    for name in ("main", "board", "bulb"):
        module(name + ".py", opt=3)  # noqa: F821
