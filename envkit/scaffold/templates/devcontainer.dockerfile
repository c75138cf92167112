# For the GPU: `envkit build gpu`, @IMAGE_GPU@ here, and "--gpus=all" among the runArgs of devcontainer.json.
FROM @IMAGE@
# The image makes its user at each start. An editor asks for it sooner, and gives it the number of who opens the folder.
RUN useradd --no-create-home --non-unique --uid 1000 --shell /bin/bash paddle
