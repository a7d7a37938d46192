"""The doctor: looks at everything that the service needs and says in plain words what is right and what is not."""
