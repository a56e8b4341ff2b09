# nginx with Imagegram, workers unprivileged.  Redis is elsewhere:
# IMAGEGRAM_REDIS is what follows "imagegram_redis", an address and parameters.
# Images are in the volume /var/lib/imagegram; /etc/imagegram/htpasswd, if
# there is one, says who may write (see docker/nginx.conf).

FROM debian:bookworm-slim AS build

WORKDIR /imagegram

COPY script/install-packages script/
RUN script/install-packages run

COPY . .
RUN make && make install DESTDIR=/out


FROM debian:bookworm-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx libhiredis0.14 \
        libjpeg62-turbo liblcms2-2 libisal2 libseccomp2 libuuid1 \
    && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/default

COPY --from=build /out /
COPY docker/nginx.conf docker/entrypoint /etc/imagegram/

ENV IMAGEGRAM_REDIS=redis:6379
VOLUME /var/lib/imagegram
EXPOSE 80
STOPSIGNAL SIGQUIT

ENTRYPOINT ["/etc/imagegram/entrypoint"]
