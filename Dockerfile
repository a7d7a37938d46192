# Show Me the Instruments. `docker build --build-arg VARIANT=gpu .` builds for NVIDIA GPUs; TORCH_INDEX as in the Makefile.
FROM python:3.12-slim

ARG VARIANT=cpu
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

WORKDIR /srv/showme

# Dependencies have layers of their own: a change of the source does not install them again.
COPY pyproject.toml constraints.txt ./
RUN pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' constraints.txt)"
RUN pip install --no-deps --constraint constraints.txt tinysoundfont
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*project['dependencies'], *project['optional-dependencies']['$VARIANT'], *project['optional-dependencies']['postgres'], sep='\n')" > requirements.txt \
    && pip install --constraint constraints.txt --requirement requirements.txt

# The source; its dependencies are installed already.
COPY . .
RUN pip install --no-deps .

RUN useradd --system --uid 10001 --create-home showme && install --directory --owner showme --group showme /data
USER showme
WORKDIR /data
VOLUME /data
ENV SHOWME_DATA_DIR=/data \
    SHOWME_HOST=0.0.0.0 \
    SHOWME_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['SHOWME_PORT'] + '/healthz', timeout=4)"]
CMD ["showme", "serve"]
