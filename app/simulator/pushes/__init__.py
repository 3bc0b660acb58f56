"""Pushes that the simulated WeChat sends."""
