# syntax=docker/dockerfile:1
# The emulator of Azure storage, in the version that the tests pin. For trying out only: it forgets
# what it acknowledged in the last seconds when it is killed.
# Build from the root of the repository: docker build -f deploy/docker/azurite.Dockerfile .

FROM node:20-bookworm-slim
WORKDIR /azurite
COPY tests/azurite/package.json tests/azurite/package-lock.json tests/azurite/.npmrc ./
RUN npm ci --omit=dev --ignore-scripts && mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 10000 10001 10002
ENTRYPOINT ["node", "node_modules/azurite/dist/src/azurite.js", "--silent", "--disableTelemetry", \
    "--skipApiVersionCheck", "--location", "/data", \
    "--blobHost", "0.0.0.0", "--queueHost", "0.0.0.0", "--tableHost", "0.0.0.0"]
