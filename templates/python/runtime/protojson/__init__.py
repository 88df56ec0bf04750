"""ProtoJSON: messages from JSON and to JSON, as https://protobuf.dev/programming-guides/json/ defines it.

The generated codecs of a contract's messages (`gen/codecs`) take JSON that is as it should be, fast. `reading` and
`writing` do the same for any message by its descriptor, and say what is wrong with JSON that is refused: what they
take and refuse is what counts.
"""
