"""What tests stand on: fake APIs, real services, reference implementations. No tests."""
