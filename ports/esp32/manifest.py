# What is frozen into the firmware of an ESP32, as in
#   make BOARD=ESP32_GENERIC FROZEN_MANIFEST=/path/to/ports/esp32/manifest.py
# or, in a manifest of your own, include("/path/to/ports/esp32/manifest.py", profile="full").
# Rule: profiles minimal and standard are libraries; full is the whole sensor, which starts by itself and needs
# only /config.json in the file system.
options.defaults(profile="standard")  # noqa: F821

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821  what the port itself freezes
include("../manifest.py", profile=options.profile)  # noqa: F821
if options.profile == "full":  # noqa: F821
    for name in ("main", "board", "sensor", "ota"):
        module(name + ".py", opt=3)  # noqa: F821
