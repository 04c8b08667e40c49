"""Starts the sensor at power-on.  Rule: the settings of this one device are here and nowhere else."""

import board
import sensor

board.wifi("network name", "password")
sensor.main(board, "mqtt://192.168.1.10:1883")
