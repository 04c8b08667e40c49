# Starts the bulb at power-on.  Rule: which application runs on this board is said here and nowhere else.
import board
import bulb
import start

start.run(bulb, board)
