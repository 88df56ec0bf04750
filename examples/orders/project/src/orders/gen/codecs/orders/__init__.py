"""JSON codecs of the messages of a proto package."""
