"""Password hashing, strength, and throttling of wrong passwords."""
