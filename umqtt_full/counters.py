# What a client has counted. Loaded when it is asked for.


def counters(client):
    """What was counted since the start, as a new dict."""
    engine = client._engine
    bytes_in, bytes_out, sent, received, oversize, stray, resent, deferred = engine.counts
    return {
        "received": received,
        "sent": sent,
        "resent": resent,  # packets of the link before
        "oversize": oversize,  # larger than rx: let go
        "deferred": deferred,  # QoS 2 without room for its id: came again on a later link
        "stray": stray,  # acks of an unknown packet id
        "dropped": client.dropped,  # given up: by the policy of a full outbox, or
        "dropped_offline": client.dropped_offline,  # these of them: at QoS 0 without a link
        "bytes_in": bytes_in,  # modulo 2**30
        "bytes_out": bytes_out,
        "reconnects": max(client.reconnects - 1, 0),
        "longest_ms": client.longest_ms,  # of a poll, its sleep aside
        "store_errors": client._store.errors if client._store else 0,
    }
