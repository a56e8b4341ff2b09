#!/usr/bin/perl

# What nginx -t says to each directive, and how directives are inherited.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(spew);
use Imagegram::FakeRedis;
use Test::More;


# nothing but what is said here
delete $ENV{IMAGEGRAM_CACHE};

# level, lines, and what the message must match; undef: they are fine

my @cases = (
    [api => 'imagegram_redis 127.0.0.1;'],
    [api => 'imagegram_redis 127.0.0.1:6380 db=3 username=u password=p'
        . ' connect_timeout=500ms timeout=2s;'],
    [api => 'imagegram_redis unix:/nonexistent/redis.sock;'],
    [api => 'imagegram_redis;',                     'number of arguments'],
    [api => 'imagegram_redis 127.0.0.1:99999;',     'port'],
    [api => 'imagegram_redis 127.0.0.1/x;',         'address "127\.0\.0\.1/x"'],
    [api => 'imagegram_redis unix:;',               'address "unix:"'],
    [api => 'imagegram_redis 127.0.0.1 db=x;',      'db=x'],
    [api => 'imagegram_redis 127.0.0.1 timeout=x;', 'timeout=x'],
    [api => 'imagegram_redis 127.0.0.1 tls=on;',    'tls=on'],
    [api => 'imagegram_redis 127.0.0.1 username=u;', 'password'],
    [api => 'imagegram_redis 127.0.0.1 127.0.0.2;', '"127\.0\.0\.2"'],
    [api => 'imagegram_redis 127.0.0.1 sentinel_password=p;',
        'for sentinels, but none'],

    [api => 'imagegram_redis sentinel:photos 127.0.0.1;'],
    [api => 'imagegram_redis sentinel:a.B-c_1 127.0.0.1 db=3 [::1]:26380'
        . ' username=u password=p sentinel_username=v sentinel_password=q'
        . ' connect_timeout=500ms timeout=2s unix:/nonexistent/sentinel.sock;'],
    [api => 'imagegram_redis sentinel:photos;',     'addresses of sentinels'],
    [api => 'imagegram_redis sentinel:photos db=1;', 'addresses of sentinels'],
    [api => 'imagegram_redis sentinel: 127.0.0.1;', 'name of a master'],
    [api => 'imagegram_redis sentinel:a,b 127.0.0.1;', 'name of a master'],
    [api => 'imagegram_redis sentinel:photos 127.0.0.1:99999;',
        'port in address "127\.0\.0\.1:99999"'],
    [api => 'imagegram_redis sentinel:photos 127.0.0.1/x;',
        'address "127\.0\.0\.1/x"'],
    [api => 'imagegram_redis sentinel:photos 127.0.0.1 db=x;', 'db=x'],
    [api => 'imagegram_redis sentinel:photos 127.0.0.1 name=x;', 'name=x'],
    [api => 'imagegram_redis sentinel:photos 127.0.0.1 sentinel_username=u;',
        'sentinel_username without a sentinel_password'],

    [api => 'imagegram_cache zone=feed:1m;'],
    [api => 'imagegram_cache gzip=off zone=feed:32k;'],
    [api => 'imagegram_cache off;'],
    [api => 'imagegram_cache;',                     'number of arguments'],
    [api => 'imagegram_cache on;',                  'parameter "on"'],
    [api => 'imagegram_cache gzip=on;',             'needs "zone='],
    [api => 'imagegram_cache zone=feed:1m size=1m;', 'parameter "size=1m"'],
    [api => 'imagegram_cache zone=a:1m zone=b:1m;', 'parameter "zone=b:1m"'],
    [api => 'imagegram_cache zone=feed;',           'invalid zone "zone=feed"'],
    [api => 'imagegram_cache zone=:1m;',            'invalid zone "zone=:1m"'],
    [api => 'imagegram_cache zone=feed:;',          'size in "zone=feed:"'],
    [api => 'imagegram_cache zone=feed:x;',         'size in "zone=feed:x"'],
    [api => 'imagegram_cache zone=feed:1k;',        'too small, it needs 32k'],
    [server => 'location /x/ { imagegram; imagegram_cache zone=feed:1m; }
        location /y/ { imagegram; imagegram_cache zone=feed:1m; }'],
    [server => 'location /x/ { imagegram; imagegram_cache zone=a:1m; }
        location /y/ { imagegram; imagegram_cache zone=b:1m; }',
        'imagegram_cache: .*a zone of its own.* zone "b" in location "/y/"'],
    [server => 'location /x/ { imagegram; imagegram_cache zone=a:1m; }
        location /y/ { imagegram; imagegram_cache zone=a:1m;
            imagegram_key_prefix y; }',
        'imagegram_cache: .*a zone of its own.* zone "a" in location "/y/"'],
    [server => 'location /x/ { imagegram_cache zone=a:1m; }
        location /y/ { imagegram_cache zone=a:2m; }',
        'size 2097152 of shared memory zone "a" conflicts'],

    [api => 'imagegram_storage %%DIR%%/another;'],
    [api => 'imagegram_storage relative;'],
    [api => 'imagegram_storage;',                   'number of arguments'],
    [api => 'imagegram_storage %%DIR%%/nginx.conf;',   'nginx.conf'],
    [api => 'imagegram_storage %%DIR%%/nginx.conf/x;', 'nginx.conf/x'],
    [api => 'imagegram_storage /proc/imagegram;',   '/proc/imagegram'],
    [api => 'imagegram_storage /' . 'x' x 4000 . ';', 'too long'],
    [api => 'imagegram_storage "";',                'empty'],
    [api => 'imagegram_storage %%DIR%%/closed;',    'closed.* not writable'],
    [api => 'imagegram_storage %%DIR%%/closed//;',
        'closed/tmp" is not writable'],
    [api => 'imagegram_storage %%DIR%%/half;',
        'half/originals.* not writable'],

    [api => 'imagegram_sweep 90m;'],
    [api => 'imagegram_sweep off;'],
    [api => 'imagegram_sweep;',                     'number of arguments'],
    [api => 'imagegram_sweep 0;',                   '"0".*time like'],
    [api => 'imagegram_sweep often;',               '"often".*time like'],
    [api => 'imagegram_sweep 1h 2h;',               'number of arguments'],
    [api => 'imagegram_sweep 1h; imagegram_sweep off;', 'duplicate'],
    [api => 'imagegram_sweep off; imagegram_sweep off;', 'duplicate'],

    [api => 'imagegram_upload_expires 90s;'],
    [api => 'imagegram_upload_expires;',            'number of arguments'],
    [api => 'imagegram_upload_expires 0;',          'zero'],
    [api => 'imagegram_upload_expires never;',      'value'],
    [api => 'imagegram_upload_expires 1h; imagegram_upload_expires 1h;',
        'duplicate'],

    [api => 'imagegram_image_base https://cdn.example.org/i/;'],
    [api => 'imagegram_image_base;',                'number of arguments'],

    [api => 'imagegram_user $remote_user;'],
    [api => 'imagegram_user "$http_x_account_id";'],
    [api => 'imagegram_user off;'],
    [api => 'imagegram_user;',                      'number of arguments'],
    [api => 'imagegram_user ann;',                  'no variable'],
    [server => 'location /x/ { imagegram_user "$remote_user$"; }',
        'invalid variable name'],
    [server => 'location /x/ { imagegram_user "${remote_user"; }',
        'closing bracket in "remote_user"'],

    [api => 'imagegram_max_image_size 2m;'],
    [api => 'imagegram_max_image_size x;',          'value'],
    [api => 'imagegram_max_image_size 0;',          'zero'],
    [api => 'imagegram_max_image_size 8000000000g;', 'too large'],
    [api => 'imagegram_max_image_pixels 12m;'],
    [api => 'imagegram_max_image_pixels x;',        'value'],
    [api => 'imagegram_max_image_pixels 0;',        'zero'],

    [api => 'imagegram_image_size 320x200;'],
    [api => 'imagegram_image_size 600;',            '600'],
    [api => 'imagegram_image_size x600;',           'x600'],
    [api => 'imagegram_image_size 600x;',           '600x'],
    [api => 'imagegram_image_size 0x600;',          '0x600'],
    [api => 'imagegram_image_size 6x6x6;',          '6x6x6'],
    [api => 'imagegram_image_size 99999x99999;',    '99999x99999'],
    [api => 'imagegram_image_fit contain;'],
    [api => 'imagegram_image_fit stretch;'],
    [api => 'imagegram_image_fit crop;',            'cover, contain'],
    [api => 'imagegram_image_quality 1;'],
    [api => 'imagegram_image_quality 100;'],
    [api => 'imagegram_image_quality 0;',           'from 1 to 100'],
    [api => 'imagegram_image_quality 101;',         'from 1 to 100'],
    [api => 'imagegram_image_quality best;',        'invalid number'],

    [api => 'imagegram_allow_origin https://a.example http://b.example:81;'],
    [api => 'imagegram_allow_origin off;'],
    [api => 'imagegram_allow_origin;',              'number of arguments'],
    [api => 'imagegram_allow_origin a.example;',    'a\.example'],
    [api => 'imagegram_allow_origin https://a.example/x;', 'a\.example/x'],
    [api => 'imagegram_allow_origin *;',            '\*'],
    [api => 'imagegram_allow_origin HTTPS://a.example;', 'HTTPS'],
    [api => 'imagegram_allow_origin https://A.example;', 'A\.example'],
    [api => 'imagegram_allow_origin https://a.example:443;', ':443'],
    [api => 'imagegram_allow_origin http://a.example:80;',   ':80'],
    [api => 'imagegram_allow_origin https://a.example?x;',   '\?x'],
    [api => 'imagegram_allow_origin "https://a https://b";', 'https://b'],
    [api => 'imagegram_allow_origin http://a.example:443 app://[::1]:80;'],

    [api => 'imagegram_converters 4 queue=0 timeout=1s memory=600m'
        . ' path=%%CONVERTER%%;'],
    [api => 'imagegram_converters;',                'number of arguments'],
    [api => 'imagegram_converters 0;',              'number "0"'],
    [api => 'imagegram_converters x;',              'number "x"'],
    [api => 'imagegram_converters 1 queue=x;',      'queue=x'],
    [api => 'imagegram_converters 1 timeout=0;',    'timeout=0'],
    [api => 'imagegram_converters 1 memory=x;',     'memory=x'],
    [api => 'imagegram_converters 1 threads=2;',    'threads=2'],
    [api => 'imagegram_converters 1 2;',            'unknown parameter "2"'],
    [api => 'imagegram_converters 1 path=;',        'value in "path="'],
    [api => 'imagegram_converters 1 path=/none;',   '/none'],
    [api => 'imagegram_converters 1 path=%%DIR%%;', 'not a file'],
    [api => 'imagegram_converters 1 path=/etc/passwd;', 'not executable'],
    [api => 'imagegram_converters 1 path=%%DIR%%/locked/convert;',
        'cannot be found'],

    [api => 'imagegram_max_author 1;'],
    [api => 'imagegram_max_author 0;',              'from 1 to 256'],
    [api => 'imagegram_max_author 257;',            'from 1 to 256'],
    [api => 'imagegram_max_author many;',           'invalid number'],
    [api => 'imagegram_max_body 16384;'],
    [api => 'imagegram_max_body 0;',                'from 1 to 16384'],
    [api => 'imagegram_max_body 16385;',            'from 1 to 16384'],

    [api => 'imagegram_key_prefix photos;'],
    [api => 'imagegram_key_prefix "";',             'without braces'],
    [api => 'imagegram_key_prefix "a{b}";',         'without braces'],

    [api    => 'imagegram_max_body 7; imagegram_max_body 8;', 'duplicate'],
    [http   => 'imagegram_max_body 7;'],
    [server => 'imagegram_max_body 7;'],
    [main   => 'imagegram_max_body 7;',             'not allowed here'],
);

my $t = Imagegram->new;

# what the workers' user may not do, whoever that is

for my $storage ('closed', 'half') {
    my $path = $t->dir . "/$storage";

    mkdir $path;
    mkdir "$path/$_" for qw(tmp images originals uploads);
    chmod $storage eq 'half' ? 0777 : 0555, $path, glob "$path/*";
    chmod 0555, "$path/originals";
}

mkdir $t->dir . '/locked', 0;

# all of them are wished for, and end up in the log, too
$t->expect_log(qr/\[emerg\]/);

for my $case (@cases) {
    my ($level, $line, $message) = @$case;

    @$t{qw(api http server main)} = ('') x 4;
    $t->{$level} = $line;

    my ($status, $output) = $t->check_conf;
    my ($directive) = $line =~ /^(\w+)/;

    if (!defined $message) {
        is($status, 0, "$line") or diag($output);
        next;
    }

    subtest substr($line, 0, 70) . ' is refused' => sub {
        isnt($status, 0, 'nginx -t fails');
        like($output, qr/\[emerg\].*\b$directive\b/, 'names the directive')
            unless $level eq 'server';
        like($output, qr/\[emerg\].*(?:$message)/, 'says what is wrong');
    };
}

# each may be given once at a level

for my $line (
    'imagegram_redis 127.0.0.1',
    'imagegram_storage %%DIR%%/another',
    'imagegram_converters 1 path=%%CONVERTER%%',
    'imagegram_cache off',
    'imagegram_user off',
    'imagegram_allow_origin off',
    'imagegram_image_size 6x6',
    'imagegram_image_fit cover',
    'imagegram_image_quality 1',
    'imagegram_image_base /i/',
    'imagegram_key_prefix x',
    'imagegram_max_author 1',
    'imagegram_max_image_size 1m',
    'imagegram_max_image_pixels 1m',
) {
    my ($directive) = $line =~ /^(\w+)/;

    @$t{qw(api http server main)} = ('') x 4;
    $t->{api} = "$line; $line;";

    my ($status, $output) = $t->check_conf;

    isnt($status, 0, "$line; $line; is refused");
    like($output, qr/\[emerg\].*"$directive" directive is duplicate/,
        'and said why');
}

for my $case (
    [ http => 'imagegram;', 'not allowed here' ],
    [ api  => 'imagegram on;', 'number of arguments|duplicate' ],
    [ api  => 'imagegram;', 'duplicate' ],
    [ api  => 'empty_gif;', 'another handler' ],
    [ server => 'location /x/ { empty_gif; imagegram; }', 'another handler' ],
    [ server => 'location = /x { imagegram; }', 'prefix location' ],
    [ server => 'location ~ x { imagegram; }', 'prefix location' ],
    [ server => 'location @x { imagegram; }', 'prefix location' ],
) {
    @$t{qw(api http server main)} = ('') x 4;
    $t->{ $case->[0] } = $case->[1];

    my ($status, $output) = $t->check_conf;

    isnt($status, 0, "$case->[1] in $case->[0] is refused");
    like($output, qr/"imagegram" .*(?:$case->[2])|(?:$case->[2]).* "imagegram"/,
        'and said why');
}


# the default Redis: to be told by what shares a zone with it

@$t{qw(api http server main)} = ('') x 4;
$t->{settings} = { redis => undef };

for my $port (6379, 6380) {
    $t->{server} = "
        location /x/ { imagegram; imagegram_cache zone=a:1m; }
        location /y/ { imagegram; imagegram_cache zone=a:1m;
            imagegram_redis 127.0.0.1:$port; }";

    my ($status, $output) = $t->check_conf;

    is($status, $port == 6379 ? 0 : 1,
        'port ' . ($port == 6379 ? '6379 is the default' : "$port is not"))
        or diag($output);
}

# the default converter, where "make install" did not put one

@$t{qw(api http server main)} = ('') x 4;
$t->{settings} = { converters => undef };

SKIP: {
    skip 'a converter is installed', 2 if -e '/usr/lib/nginx/imagegram-convert';

    my ($status, $output) = $t->check_conf;

    isnt($status, 0, 'the default converter is missed');
    like($output, qr/imagegram_converters.*imagegram-convert/, 'and named');
}

# where it did, in front of what there is

SKIP: {
    my $dir = $t->dir;

    mkdir "$dir/$_" for 'lib', 'lib/new', 'lib/work';
    spew("$dir/installed", 'mount -t overlay overlay -o',
        " lowerdir=/usr/lib,upperdir=$dir/lib/new,workdir=$dir/lib/work",
        ' /usr/lib 2> /dev/null && mkdir -p /usr/lib/nginx && cp ',
        $t->converter, ' /usr/lib/nginx/ && exec "$@"', "\n");
    local $t->{wrap} = "unshare -m sh $dir/installed";

    skip 'nothing can be mounted here', 1
        if system "$t->{wrap} true 2> /dev/null";

    local $t->{server} = 'location /twice/ { imagegram; }';

    my ($status, $output) = $t->check_conf;

    is($status, 0, 'the default converter is found') or diag($output);
}

$t->{settings} = {};


# client_max_body_size

for my $case (
    ['client_max_body_size 1m;', 1],
    ['client_max_body_size 1m; if ($host) { break; }', 1],
    ['client_max_body_size 100m;', 1],
    ['client_max_body_size 140m;', 0],
    ['client_max_body_size 0;', 0],
    ['client_max_body_size 2m; imagegram_max_image_size 1m;', 0],
) {
    $t->{api} = $case->[0];

    my ($status, $output) = $t->check_conf;

    is($status, 0, "$case->[0] is accepted");
    is(scalar(() = $output =~ /\[warn\].*client_max_body_size/g), $case->[1],
        $case->[1] ? 'with a warning' : 'without a warning')
        or diag($output);
}


# inheritance: http, server, location

$t = Imagegram->new(
    http    => 'imagegram_max_body 5;',
    servers => 'server {
        listen 127.0.0.1:%%PORT_2%%;
        imagegram_max_body 10;

        location / { imagegram; }
        location /short/ { imagegram; imagegram_max_body 3; }
        location /other/ { imagegram; imagegram_key_prefix other; }
        location /cdn/ { imagegram; imagegram_image_base //cdn.example/; }
        location /bare/ { imagegram; imagegram_image_base "//\"cdn\""; }
        location /none/ { imagegram; imagegram_image_base ""; }
    }',
)->start;

my $post = $t->post(body => 'post');
my $comments = "posts/$post->{PostID}/comments";

for my $case (
    [ 1, '/',       5  ],
    [ 2, '/',       10 ],
    [ 2, '/short/', 3  ],
) {
    my ($port, $location, $max) = @$case;

    for my $length ($max, $max + 1) {
        my $r = $t->json("$location$comments",
            { author => 'ben', body => 'x' x $length }, port => $port);

        is($r->{status}, $length > $max ? 422 : 201,
            "$length characters in $location of server $port");
    }
}

my $r = $t->get('/other/posts', port => 2);

is_deeply($r->{json}{posts}, [], 'another key prefix, another feed');

$r = $t->get("/cdn/posts/$post->{PostID}", port => 2);

like($r->{json}{Image}, qr{^//cdn\.example/..?/}, 'another image base');

$r = $t->get("/bare/posts/$post->{PostID}", port => 2);
like($r->{json}{Image}, qr{^//"cdn"/..?/}, 'one without a slash at its end');

$r = $t->get("/none/posts/$post->{PostID}", port => 2);
like($r->{json}{Image}, qr{^/..?/}, 'an empty one');

is(scalar(() = $t->log =~ /imagegram_user/g), 1,
    'that the API is open is said once');


# the same twice is one, and what no location uses is none

$t = Imagegram->new(
    settings => {
        redis      => 'unix:%%DIR%%/unused.sock',
        converters => '7 path=%%CONVERTER%%',
    },
    server   => 'imagegram_redis %%REDIS%%;
        imagegram_converters 1 path=%%CONVERTER%%;

        location /db1/   { imagegram; imagegram_redis %%REDIS%% db=1; }
        location /other/ { imagegram; imagegram_redis %%REDIS%%; }
        location /plain/ { imagegram_redis unix:%%DIR%%/unused.sock; }',
    servers  => 'server {
        listen 127.0.0.1:%%PORT_2%%;
        imagegram_redis %%REDIS%%;
        imagegram_converters 1 path=%%CONVERTER%%;
        location / { imagegram; }
    }',
)->start;

$t->post;

for my $case ([1, '/', 1], [2, '/', 1], [1, '/other/', 1], [1, '/db1/', 0]) {
    my ($port, $location, $n) = @$case;

    is(scalar @{ $t->get("${location}posts", port => $port)
        ->{json}{posts} // [] }, $n, "posts in $location of server $port");
}

is(scalar(() = $t->redis(qw(CLIENT LIST)) =~ /^id=/mg), 1 + 2,
    'a connection for each Redis in use');
unlike($t->log, qr/unused/, 'and none for another');
is(scalar(() = $t->converter_pids), 1, 'a converter for those in use');

# likewise behind sentinels, where these are the same

$t = Imagegram->new(
    settings => { redis => 'sentinel:m unix:%%DIR%%/s.sock', sweep => 'off' },
    server   => '
        location /same/ { imagegram;
            imagegram_redis sentinel:m unix:%%DIR%%/s.sock; }
        location /other/ { imagegram;
            imagegram_redis sentinel:m unix:%%DIR%%/s.sock
                sentinel_password=x; }',
);
$t->{redis} = ['--port', $t->port(2)];
$t->start_redis;

my $sentinel = Imagegram::FakeRedis->new($t->dir . '/s.sock', sub {
    my ($n, @command) = @_;
    my ($host, $port) = ('127.0.0.1', $t->port(2));

    return $command[0] eq 'SENTINEL'
        ? "*2\r\n\$9\r\n$host\r\n\$@{[ length $port ]}\r\n$port\r\n"
        : "+PONG\r\n";
});

$t->expect_log(qr{connect\(\) to unix:.*/s\.sock failed});
$t->start_nginx;
is($t->get("/$_/posts")->{status}, 200, "by the sentinel's master: $_")
    for 'same', 'other';
is((() = $t->redis(qw(CLIENT LIST)) =~ /^id=/mg), 1 + 2,
    'a connection for each');

my $quiet = Imagegram->new(log => 'error')->start;

is(scalar(() = $quiet->log =~ /imagegram_user/g), 1,
    'also where error_log leaves out warnings');

done_testing();
