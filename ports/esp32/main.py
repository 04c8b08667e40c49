# Starts the sensor at power-on.  Rule: which application runs on this board is said here and nowhere else.
import board
import sensor
import start

start.run(sensor, board)
