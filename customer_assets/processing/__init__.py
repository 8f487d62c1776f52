"""Frames to frames: the rules that turn raw customers into clean ones, and the verdicts on their quality."""
