"""What an encoder's features show: findings, measurements, pooling. It knows no writer."""
