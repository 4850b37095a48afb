"""The demonstration: real models on real data, tracked in all three ways. Needs the extra ``greenai[demo]``."""
