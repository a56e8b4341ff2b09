# make              build/ngx_http_imagegram_module.so, build/imagegram-convert
# make install      both, where nginx looks for them (DESTDIR is honoured)
# make run          script/run
# make test         script/test
# make rounds       faults of Redis, ROUNDS=10000 times, as shipped and under
#                   AddressSanitizer: two minutes
# make faults       each call that may fail does so, for each kind of request:
#                   ten minutes
# make valgrind     VALGRIND=... tests with nginx under memcheck: five minutes
# make bench        figures on the event loop, requests, memory, uploads, images
# make bench-scale  figures on a feed of BENCH_POSTS=5000000 posts
# make crash        somebody is killed before each step of each change, half an
#                   hour; CRASH_SEED=... for another order, see t/crash.t
# make clients      tus clients for the tests, from npm
# make fuzz         each parser under libFuzzer, FUZZ_SECONDS=60 each, or less
#                   where FUZZ_RUNS=... are done before; FUZZERS=... for some
# make check        formatting and static analysis
# make coverage     which lines the tests reach: at least 90 %
# make clean
#
# SANITIZE=address builds into build/asan, under AddressSanitizer and UBSan.
# COVERAGE=folder builds into build/coverage what counts into that folder.
# NGX_SRC=... takes other nginx sources than those of Debian's nginx-dev;
# NGX_FLAGS=... are configure's arguments then.

ifneq ($(words $(CURDIR)),1)
$(error make cannot work in a folder with blanks in its name: $(CURDIR))
endif

NGX_SRC =	/usr/share/nginx/src
NGX_FLAGS =	--with-compat --with-threads

BUILD =		$(CURDIR)/build
CC_OPT =	-g -O2 -fPIC -fstack-protector-strong -Wformat \
		-Werror=format-security -D_FORTIFY_SOURCE=2
LD_OPT =	-Wl,-z,relro -Wl,-z,now

ifeq ($(SANITIZE),address)
BUILD =		$(CURDIR)/build/asan
CC_OPT =	-g -O1 -fPIC -fno-omit-frame-pointer \
		-fsanitize=address,undefined
LD_OPT =	-fsanitize=address,undefined
endif

# Each counter is a place in a mapped file, which it shares with all processes:
# it counts in who is killed or may open no file, too, as gcov's would not.

ifdef COVERAGE
BUILD =		$(CURDIR)/build/coverage
CC =		clang
CC_OPT =	-g -O1 -fPIC -fcoverage-mapping \
		-fprofile-instr-generate=$(COVERAGE)/%m%c.profraw \
		-mllvm -runtime-counter-relocation
LD_OPT =	-fprofile-instr-generate=$(COVERAGE)/%m%c.profraw
endif

MODULE =	$(BUILD)/ngx_http_imagegram_module.so
CONVERTER =	$(BUILD)/imagegram-convert

NGX_SBIN =	/usr/sbin/nginx
MODULES_PATH =	$(shell $(NGX_SBIN) -V 2>&1 \
		| sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
AVAILABLE =	/usr/share/nginx/modules-available

# as compiled into the module, see config
IMAGEGRAM_CONVERTER ?=	/usr/lib/nginx/imagegram-convert
export IMAGEGRAM_CONVERTER


.PHONY:		all install run test rounds faults valgrind bench bench-scale \
		fuzz check coverage clean

all:		$(BUILD)/Makefile
	@$(MAKE) -s -f $(BUILD)/Makefile -C $(NGX_SRC) modules


# conf_flags, a bash array, is how Debian's own nginx was configured.  The
# sanitizers' leak check would fail the programs that configure tries out.

$(BUILD)/Makefile:	config config.make Makefile
	@mkdir -p $(BUILD)
	@cd $(NGX_SRC) && bash -c ' \
		if test -f conf_flags; then . ./conf_flags; \
		else NGX_CONF_FLAGS=( $(NGX_FLAGS) ); fi; \
		ASAN_OPTIONS=detect_leaks=0 ./configure \
			"$${NGX_CONF_FLAGS[@]}" \
			--with-cc="$(CC)" \
			--with-cc-opt="$(CC_OPT)" \
			--with-ld-opt="$(LD_OPT)" \
			--add-dynamic-module="$(CURDIR)" \
			--builddir="$(BUILD)"' > $(BUILD)/configure.log \
		|| { rm -f $@; tail -n 3 $(BUILD)/configure.log; exit 1; }


# the snippet is what Debian's module packages have: linked to from
# /etc/nginx/modules-enabled it loads the module

install:	all
	install -D -m 644 $(MODULE) $(DESTDIR)$(MODULES_PATH)/$(notdir $(MODULE))
	install -D -m 755 $(CONVERTER) $(DESTDIR)$(IMAGEGRAM_CONVERTER)
	if test -d /etc/nginx/modules-enabled; then \
		mkdir -p $(DESTDIR)$(AVAILABLE); \
		echo "load_module modules/$(notdir $(MODULE));" \
			> $(DESTDIR)$(AVAILABLE)/mod-http-imagegram.conf; \
	fi

run:
	@script/run

test:
	@script/test

ROUNDS =	10000

rounds:		all
	@script/install-packages test
	@$(MAKE) -s SANITIZE=address all
	@IMAGEGRAM_ROUNDS=$(ROUNDS) prove -v t/redis_rounds.t
	@IMAGEGRAM_ROUNDS=$(ROUNDS) IMAGEGRAM_BUILD=build/asan \
		prove -v t/redis_rounds.t

faults:		all
	@script/install-packages test
	@IMAGEGRAM_FAULTS=all prove -v t/faults.t

# those that no clock of their own makes fail where all is forty times slower

VALGRIND =	aborts access cache comments feed feed_shared idempotency \
		intake nginx posts problem redis redis_fake refusals \
		upload_redis uploads_left

valgrind:	all
	@script/install-packages valgrind
	@IMAGEGRAM_VALGRIND=1 IMAGEGRAM_CACHE=zone=feed:1m \
		prove --timer $(VALGRIND:%=t/%.t)

bench:		all
	@script/install-packages bench
	@bench/run

bench-scale:	all
	@script/install-packages bench
	@bench/run scale


# all of t/crash.t, of which "make test" runs a part

CRASH_ROUNDS =	2300
CRASH_SEED =	$(shell date +%s)
CRASH_JOBS =	3

.PHONY:		crash

crash:		all
	@script/install-packages test
	@IMAGEGRAM_BUILD=$(BUILD) CRASH_ROUNDS=$(CRASH_ROUNDS) \
		CRASH_SEED=$(CRASH_SEED) CRASH_JOBS=$(CRASH_JOBS) perl t/crash.t


# unit tests that print TAP, and fuzzers, against the real files; sandbox and
# server belong to imagegram-convert and are no parsers

PARSE =		$(wildcard src/parse/*.c)
HEADERS =	$(wildcard src/parse/*.h)
PARSERS =	$(patsubst src/parse/%.c,$(BUILD)/parse/%.o,$(PARSE))
STRICT =	-g -Wall -Wextra -Werror -Isrc/parse

UNITS =		$(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))
FUZZERS =	$(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/*.c))
FUZZ_SECONDS =	60
FUZZ_RUNS =	-1
FUZZ_CORPUS =	build/corpus

.PHONY:		unit

unit:		$(UNITS)

$(BUILD)/unit/%:	t/unit/%.c t/unit/unit.h $(PARSERS)
	@mkdir -p $(@D)
	@$(CC) $(STRICT) $(CC_OPT) -o $@ $< $(PARSERS) $(LD_OPT)

$(PARSERS):	$(BUILD)/parse/%.o: src/parse/%.c $(HEADERS)
	@mkdir -p $(@D)
	@$(CC) -c $(STRICT) $(CC_OPT) -o $@ $<

SANDBOX =	t/unit/sandbox.c src/convert/imagegram_sandbox.c

$(BUILD)/unit/sandbox:	$(SANDBOX) src/convert/imagegram_sandbox.h
	@mkdir -p $(@D)
	@$(CC) $(STRICT) $(CC_OPT) -o $@ $(SANDBOX) $(LD_OPT) -lseccomp

# the test plays the children, and a system without room for one

SERVER =	t/unit/server.c src/convert/imagegram_server.c

$(BUILD)/unit/server:	$(SERVER) $(wildcard src/convert/*.h) $(HEADERS)
	@mkdir -p $(@D)
	@$(CC) $(STRICT) $(CC_OPT) -o $@ $(SERVER) $(LD_OPT) -Wl,--wrap=fork

FUZZ =		clang $(STRICT) -O1 -fsanitize=fuzzer,address,undefined \
			-fno-sanitize-recover=all

build/fuzz/%:	t/fuzz/%.c $(PARSE) $(HEADERS)
	@mkdir -p $(@D)
	$(FUZZ) -o $@ $< $(PARSE) -lcjson

# the formats of images, by the converter's own files

IMAGE =		$(filter-out %/imagegram_child.c %/imagegram_form.c \
			%/imagegram_hand.c %/imagegram_main.c \
			%/imagegram_original.c %/imagegram_sandbox.c \
			%/imagegram_server.c, $(wildcard src/convert/*.c))

build/fuzz/bmp build/fuzz/jpeg build/fuzz/png: \
build/fuzz/%:	t/fuzz/%.c t/fuzz/image.h $(IMAGE) $(PARSE) \
		$(wildcard src/convert/*.h) $(HEADERS)
	@mkdir -p $(@D)
	$(FUZZ) -o $@ $< $(IMAGE) $(PARSE) -lisal -ljpeg -llcms2 -lm

fuzz:
	@script/install-packages fuzz
	@$(MAKE) -s $(addprefix build/fuzz/,$(FUZZERS))
	@for name in $(FUZZERS); do \
		corpus=$(FUZZ_CORPUS)/$$name; \
		seeds=t/fuzz/seeds/$$name; \
		dict=t/fuzz/$$name.dict; \
		mkdir -p $$corpus; \
		echo "$$name: $(FUZZ_SECONDS) s"; \
		build/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) \
			-runs=$(FUZZ_RUNS) \
			-verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$$corpus- \
			$$(test ! -f $$dict || echo -dict=$$dict) \
			$$corpus $$(test ! -d $$seeds || echo $$seeds) \
			|| exit 1; \
	done


# what the tests drive besides: tus clients from npm, and a page for a browser
# with two of them.  They are the same for every build.

CLIENTS =	build/tus
PACKAGES =	node_modules/.package-lock.json

.PHONY:		clients peers

clients:	$(CLIENTS)/page.js

$(CLIENTS)/$(PACKAGES):	t/tus/package.json t/tus/package-lock.json
	@$(NPM_CI)

$(CLIENTS)/page.js:	t/tus/page.mjs $(CLIENTS)/$(PACKAGES)
	@NODE_PATH=$(CLIENTS)/node_modules \
		$(CLIENTS)/node_modules/.bin/esbuild --log-level=warning \
		--bundle --format=esm --outfile=$@ $<

# what the bench compares with: from npm, too, which needs Node.js 20.19, and
# from Debian, unpacked instead of installed, since nginx with Lua is to stay
# out of the system's own nginx

PEERS =		build/peers

peers:		$(PEERS)/tus-server.mjs $(PEERS)/feed-server.mjs \
		$(PEERS)/sharp.mjs $(PEERS)/$(PACKAGES)

LUA =		libnginx-mod-http-lua libnginx-mod-http-ndk libluajit2-5.1-2 \
		lua-resty-core lua-resty-lrucache lua-nginx-redis lua-cjson

.PHONY:		lua

lua:		$(PEERS)/lua/usr

$(PEERS)/lua/usr:
	@rm -rf $(@D) && mkdir -p $(@D)/deb
	@cd $(@D)/deb && apt-get -q download $(LUA) > apt.log 2>&1 \
		|| { tail -n 5 apt.log; exit 1; }
	@cd $(@D) && for deb in deb/*.deb; do dpkg -x $$deb . || exit 1; done

$(PEERS)/$(PACKAGES):	bench/peers/package.json bench/peers/package-lock.json
	@$(NPM_CI)

$(PEERS)/%.mjs:	bench/peers/%.mjs
	@mkdir -p $(@D)
	@cp $< $@

define NPM_CI
mkdir -p $(@D)/..
cp $^ $(@D)/..
cd $(@D)/.. && { npm ci --ignore-scripts --no-audit --no-fund > npm.log 2>&1 \
	|| { tail -n 5 npm.log; exit 1; }; }
touch $@
endef


check:
	@script/check

coverage:
	@script/coverage

clean:
	rm -rf build
