"""What the product does: plain functions of plain values, and the only place that commits."""
