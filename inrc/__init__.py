"""inrc: compress any signal that can be asked at a coordinate."""
