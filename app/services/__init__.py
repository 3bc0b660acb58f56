"""The use cases of the product, as functions of plain values. Only services commit."""
