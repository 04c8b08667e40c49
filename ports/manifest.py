# What is frozen into a firmware on either port: the library, and what both applications begin with.
#
# Rule: which modules a profile holds (minimal, standard, full) is said in tools/profiles.py. It is included by the
# manifest of each port. Compiled with -O3: no line numbers, less flash.
import os
import sys

sys.path.insert(0, os.path.abspath("../tools"))  # a manifest is run in its own folder
import profiles  # noqa: E402

options.defaults(profile="standard")  # noqa: F821

if options.profile not in profiles.NAMES:  # noqa: F821
    raise ValueError("profile: " + ", ".join(profiles.NAMES))

files = [file.name for file in profiles.sources(options.profile)]  # noqa: F821
package("umqtt_full", files=files, base_path="..", opt=3)  # noqa: F821
for name in ("settings", "start", "wifi", "ntp"):
    module(name + ".py", opt=3)  # noqa: F821
