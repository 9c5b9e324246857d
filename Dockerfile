# egps on a cluster's GPUs: the NVIDIA driver comes from the host, by NVIDIA's container toolkit. There is no driver in the image that
# computes on the CPU, so where the GPU is missing every command ends with an AdapterError instead of being slow in silence.
#   docker build -t egps .
#   docker run --rm --gpus all egps info --require-gpu
FROM node:24-bookworm-slim AS build
WORKDIR /egps
COPY package.json package-lock.json .npmrc ./
# Without scripts: the package's own one needs its sources, and no dependency needs one on Linux.
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/setup.mjs --build
# What runs: without the tools of the build, and of WebGPU's binaries those for Linux.
RUN npm prune --omit=dev --ignore-scripts && rm -r node_modules/webgpu/dist/darwin-* node_modules/webgpu/dist/win32-*

FROM node:24-bookworm-slim
# The Vulkan loader and what NVIDIA's driver is linked with. Recommended packages would bring Mesa's software driver.
RUN apt-get update && apt-get install -y --no-install-recommends libvulkan1 libxext6 && rm -rf /var/lib/apt/lists/*
# The toolkit mounts the host's own file over this one, from version 1.12 on; an older one brings none.
COPY deploy/nvidia_icd.json /etc/vulkan/icd.d/
WORKDIR /egps
COPY --from=build /egps/package.json ./
COPY --from=build /egps/node_modules node_modules
COPY --from=build /egps/models/abacus models/abacus
COPY --from=build /egps/bin bin
COPY --from=build /egps/dist/src dist/src
RUN ln -s /egps/bin/egps.js /usr/local/bin/egps
# Vulkan is part of the capability "graphics", which is not among those that containers get by default.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility
USER node
WORKDIR /home/node
ENTRYPOINT ["egps"]
CMD ["--help"]
