
# Adds to nginx's Makefile: the header that carries the Lua scripts, and
# imagegram-convert, which "make modules" and "make install" then include.

imagegram_convert=$NGX_OBJS/imagegram-convert
imagegram_objs=

mkdir -p $NGX_OBJS/imagegram

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ngx_http_imagegram_lua.h: \\
		$ngx_addon_dir/src/lua/embed.awk `echo $imagegram_lua_srcs`
	awk -f $ngx_addon_dir/src/lua/embed.awk `echo $imagegram_lua_srcs` \\
		> \$@.tmp && mv \$@.tmp \$@

END

for imagegram_src in $imagegram_convert_srcs $imagegram_parse_srcs
do
    imagegram_obj=$NGX_OBJS/imagegram/`basename $imagegram_src .c`.o
    imagegram_objs="$imagegram_objs $imagegram_obj"

    cat << END                                                >> $NGX_MAKEFILE

$imagegram_obj: $imagegram_src \\
		`echo $imagegram_convert_deps $imagegram_parse_deps`
	\$(CC) -c \$(CFLAGS) -o \$@ $imagegram_src

END

done

cat << END                                                    >> $NGX_MAKEFILE

$imagegram_convert: $imagegram_objs
	\$(LINK) -o \$@ $imagegram_objs $NGX_LD_OPT $imagegram_convert_libs

modules: $imagegram_convert

imagegram_install: $imagegram_convert
	install -D $imagegram_convert \\
		'\$(DESTDIR)${IMAGEGRAM_CONVERTER:-/usr/lib/nginx/imagegram-convert}'

install: imagegram_install

END
