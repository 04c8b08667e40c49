"""Starts the bulb at power-on.  Rule: the settings of this one device are here and nowhere else."""

import board
import bulb

board.wifi("network name", "password")
bulb.main(board, "mqtt://192.168.1.10:1883")
