"""Hedgerow beside other tools that do the same job: `python -m benchmarks.peers`.

Each peer lives in an environment of its own, made from `<peer>.txt` here, and is no dependency of the project. To take
a newer release, change `<peer>.in` and run, in this folder:

    uv pip compile <peer>.in --python-version 3.11 --python-platform linux --generate-hashes --no-emit-index-url \\
      --no-header -o <peer>.txt
"""
