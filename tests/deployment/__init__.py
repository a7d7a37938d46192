"""Deployment without a Docker engine: the Dockerfile is read, the compose file resolved, the install steps run."""
