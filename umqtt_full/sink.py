# What takes payloads piece by piece: asked for each PUBLISH when its beginning is in rx.


class Taker:
    """A subclass has begin(msg): is it wanted? And step(now): True when it has taken it all, None when it should
    be asked at once more, else False.
    """

    def offer(self, engine, now):  # no alloc
        """A PUBLISH has come, `want` bytes of it lie in rx. Return as step() does, True where it is not wanted."""
        if engine.sunk is None:
            rx = engine.rx
            head = engine.head
            engine.sunk = False
            if 2 + (rx[0] << 8 | rx[1]) + (head & 6 and 2) > engine.want:
                return True  # not even topic and packet id fit
            msg = engine.message
            engine.protocol.parse_publish(msg, rx, head, engine.length, engine.want)
            engine.sunk = (msg.qos < 2 or engine.is_new(msg)) and self.begin(msg)
        return self.step(now) if engine.sunk else True
