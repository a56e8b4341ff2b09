#!/usr/bin/perl

# Each place in the module and in imagegram-convert that allocates, or calls the
# system or nginx for something that may fail, fails once: while nginx reads its
# configuration, starts, serves each kind of request, sweeps, converts.
#
#   IMAGEGRAM_FAULTS    "all": again for each kind of request, and each of the
#                       first calls from a place; minutes instead of seconds
#   IMAGEGRAM_VERBOSE   1: says what failed, and what came of it

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use Time::HiRes qw(sleep);

use Imagegram qw(alive open_files slurp spew wait_for);
use Imagegram::Image;
use Imagegram::Requests;
use Imagegram::Storage qw(age complete_uploads id plant shard swept_twice);
use Imagegram::Tus;
use Test::More;

use constant {
    PLACES => 4096,
    HEAD   => 32,       # bytes, as control_t in faults.c has them
    PLACE  => 64,
    TIMES  => 4,
};


plan skip_all => 'the sanitizers\' own library must be the first one'
    if Imagegram->sanitized;

my $folder = tempdir(CLEANUP => 1);
my $control = "$folder/control";
my $library = "$folder/faults.so";
my $source = Imagegram->top . '/t/lib/faults.c';

chmod 0755, $folder;
spew($control, "\0" x (HEAD + PLACES * PLACE));
chmod 0666, $control;
system(qw(cc -shared -fPIC -O2 -Wall -Wextra -Werror -fno-builtin),
    qq(-DCONTROL="$control"), '-o', $library, $source) == 0
    or die "$source does not compile\n";


# What is due next fails: of "m", the module; "c", imagegram-convert; of nobody.

my $all = ($ENV{IMAGEGRAM_FAULTS} // '') eq 'all';
my ($turn, $known) = (0, 0);

sub arm {
    my ($who) = @_;

    control(0, $who ? ord $who : 0, ++$turn, $all ? TIMES : 1);
}

sub control {
    my ($offset, @numbers) = @_;

    open my $file, '+<:raw', $control or die "$control: $!\n";
    sysseek $file, $offset, 0;
    syswrite $file, pack 'I*', @numbers;
}

sub failures { unpack 'x20 I', slurp($control) }

# The place that has failed since this was asked last, if one has

sub failed {
    return if failures() == $known;

    $known = failures();

    my $bytes = slurp($control);
    my ($who, $offset, $name) = unpack 'Q Q x12 Z*',
        substr $bytes, HEAD + unpack('x24 Q', $bytes) * PLACE, PLACE;

    return { who => chr $who, offset => $offset, name => $name };
}

sub has_failed { failures() > $known }

# All may fail once more.

sub forget { control(12, 0) }

# As a reader may find it

sub where {
    my ($place) = @_;

    my $file = ($ENV{IMAGEGRAM_BUILD} // Imagegram->top . '/build') . '/'
        . ($place->{who} eq 'm' ? 'ngx_http_imagegram_module.so'
            : 'imagegram-convert');
    my $line = `addr2line -e '$file' @{[
        sprintf '%x', $place->{offset} - 1 ]} 2>/dev/null`;

    return "$place->{name}() " . ($line =~ s{.*/|\s+}{}gr || $place->{offset});
}

my (%counts, %odd);

sub count {
    my ($what, $result, $place) = @_;

    $counts{$place->{who}}{$what}{$result}++;
    print "# $what: $result, ", where($place), "\n"
        if $ENV{IMAGEGRAM_VERBOSE};
}

sub odd {
    my ($place, $what) = @_;
    push @{ $odd{$what} }, where($place);
}

# what fails for want of memory is said by nginx's own functions, which did not
# fail here

sub is_said {
    my ($place, $text) = @_;

    return $place->{name}
            =~ /alloc|shared|array|list|pool|slab|strdup|compile|conf_/
        || $text =~ /\[(?:emerg|alert|crit|error)\]/;
}

sub none {
    my ($what, $text) = @_;

    is_deeply(delete $odd{$what} // [], [], $text);
}


# --- nginx -t, without a storage and with one

my @settings = (
    redis      => '%%REDIS%% timeout=20s',
    user       => '$remote_user',
    image_base => 'https://images.example.com/',
);
my $conf = Imagegram->new(preload => $library, redis => undef,
    settings => { @settings, sweep => '1h' },
    api => 'imagegram_cache zone=feed:1m;
        imagegram_allow_origin https://example.com https://example.org;',
    servers => 'server {
        listen 127.0.0.1:%%PORT_2%%;
        location / {
            imagegram;
            imagegram_redis sentinel:photos 127.0.0.1:1 127.0.0.1:2;
            imagegram_storage %%DIR%%/another;
        }
    }');

$conf->expect_log(qr/./);

for my $fresh (1, 0) {
    while (1) {
        remove_tree($conf->storage, $conf->dir . '/another') if $fresh;
        arm('m');

        my ($status, $said) = $conf->check_conf;
        my $place = failed() or last;

        count('nginx -t', $status, $place);
        odd($place, 'status') if $status != 0 && $status != 1;
        odd($place, 'saidnot') if $status && !is_said($place, $said);
    }
}

arm();
none('status', 'nginx -t: what fails is no configuration, or is done without');
none('saidnot', 'and says why');


# --- the start of a worker

my $t = Imagegram->new(my %options = Imagegram::Requests::options(),
    preload => $library,
    main    => 'env LD_PRELOAD;');

$t->{servers} .= 'server {
    listen 127.0.0.1:%%PORT_3%%;
    location / {
        imagegram;
        imagegram_redis 127.0.0.1:%%PORT_4%%;
        imagegram_key_prefix other;
        imagegram_storage %%DIR%%/other;
    }
}';
$t->{redis} = ['--port', $t->port(4)];

# what happens here is said
$t->expect_log(qr/./);
$t->start_redis;

sub makes_a_post {
    my $image = Imagegram::Image::png(4, 4);

    return $t->form('posts', [body => 'x', image => $image], user => 'ann')
        ->{status} == 201;
}

sub serves {
    my $c = eval { $t->connect(timeout => 1) } or return 0;
    my $r = eval { $c->request(path => '/posts') } or return 0;

    return $r->{status} == 200;
}

while (1) {
    arm('m');
    $t->begin_nginx;

    my $ends = wait_for(sub {
        serves() ? 'serves' : !alive($t->nginx_pid) ? 'nginx ends'
            : $t->log =~ /cannot be respawned/ ? 'no worker' : '';
    }, 30);

    arm();

    my $place = failed() or last;

    count('a start', $ends, $place);
    odd($place, 'start') if !$ends
        || $ends ne 'serves' && !is_said($place, $t->log);
    $t->stop_nginx;
    unlink $t->dir . '/logs/error.log';
}

none('start', 'a start: it serves, or says why not');


# --- each kind of request

my $requests = Imagegram::Requests->new($t);
my @ann = (user => 'ann');
my ($worker) = $t->worker_pids;

# so that all that is made once is there

$t->request($requests->stage($_)) for $requests->kinds;
wait_for(sub { $t->get('/posts', port => $_)->{status} == 200 }, 10) for 2, 3;

my $open = open_files($worker);

# A child that has no memory says that of the image.

my %clear = (
    m => qr/^(?:0|2..|401|404|500|503|507)$/,
    c => qr/^(?:2..|422|500|503|507)$/,
);

for my $who (qw(m c)) {
    for my $what ($requests->kinds) {
        next if $who eq 'c' && $what !~ /^(?:POST posts|PATCH)/;
        forget() if $all;

        while (1) {
            my @request = $requests->stage($what);

            arm($who);

            my $r = $t->request(@request);

            arm();

            my $place = failed() or last;

            count($what, $r->{status}, $place);
            odd($place, 'answer') if $r->{status} !~ $clear{$who};
            odd($place, 'death'), last if !alive($worker);
        }
    }
}

none('answer', 'a request: who did not get it got a clear answer');
none('death', 'no worker died of it');
is_deeply([$t->worker_pids], [$worker], 'the worker is the one that began');
ok(wait_for(sub { open_files($worker) <= $open }, 30), 'and holds nothing')
    or diag(open_files($worker), " > $open");


# --- a converter that starts again

while (1) {
    my $parent = $t->converter_pid;

    arm('c');
    kill 'KILL', $parent;

    my $works = wait_for(sub { has_failed() || makes_a_post() }, 30);

    arm();

    my $place = failed() or last;

    count('a converter', 'starts', $place);
    odd($place, 'converter') if !$works;
}

none('converter', 'a converter is started again until it serves');


# --- the sweeper

$t->reload(settings => { %{ $t->{settings} }, sweep => '50ms' });
wait_for(sub { $t->worker_pids == 1 }, 30) or die "the old worker stays\n";
($worker) = $t->worker_pids;

while (1) {
    my @old = map { plant($t, @$_, 2) } ['tmp/' . id() . '.body'],
        [shard('images', id(), 'jpg')], [shard('originals', id(), 'png')],
        ['uploads/' . id()];

    arm('m');

    my $swept = wait_for(sub {
        has_failed() || !grep { -e $t->storage . "/$_" } @old;
    }, 30);

    arm();

    my $place = failed() or last;

    count('a sweep', 'goes on', $place);
    odd($place, 'sweep') if !$swept || !alive($worker);
}

none('sweep', 'what one sweep does not do another one does');


# --- who takes over where a worker was killed

while ($all) {
    my $upload = Imagegram::Tus->create($t, $requests->{image}, @ann);
    my $path = $t->storage . '/uploads/' . $upload->id;

    # all bytes are there, and nobody makes a post of them
    $upload->patch(0, substr($requests->{image}, 0, -1), @ann);
    open my $file, '>>:raw', $path or die "$path: $!\n";
    syswrite $file, substr $requests->{image}, -1;

    forget() if !$counts{m}{recovery};
    arm('m');
    kill 'KILL', $t->worker_pids;

    my $made = wait_for(sub { has_failed() || !-e $path }, 30);

    arm();

    my $place = failed() or last;

    count('recovery', 'goes on', $place);
    odd($place, 'recovery') if !$made;

    # it may have ended at its start, for good
    $t->stop_nginx;
    $t->start_nginx;
}

none('recovery', 'an upload that is complete becomes a post');


# --- a child, by hand, for each format

my %pictures = (
    PNG           => $requests->{image},
    interlaced    => Imagegram::Image::png(9, 9, interlaced => 1),
    BMP           => Imagegram::Image::bmp(9, 9),
    JPEG          => Imagegram::Image::jpeg(64, 48),
    progressive   => Imagegram::Image::jpeg(64, 48,
        options => ['-progressive']),
);

for my $what (sort keys %pictures) {
    spew("$folder/in", $pictures{$what});
    forget() if $all;

    while (1) {
        arm('c');

        my $said = `LD_PRELOAD=$library timeout 20 @{[
            $t->converter ]} $folder/in $folder/out 2>&1`;
        my $status = $? & 127 ? "signal $?" : $? >> 8;

        my $place = failed() or last;

        count("by hand, $what", $status, $place);
        odd($place, 'hand') if $status !~ /^[012]$/ || $status && $said !~ /\S/;
    }
}

arm();
none('hand', 'by hand, it says what is wrong');


# --- afterwards

ok(wait_for(sub { !complete_uploads($t) }, 60), 'uploads are posts');
ok(wait_for(sub { !$t->conversion_pids }, 30), 'nothing is being converted');
age($t, 2, $t->files);
swept_twice($t);

my ($posts) = $t->walk('posts?limit=100');
my $check = join ' ', $t->top . '/script/check-storage', '--redis',
    'unix:' . $t->redis_socket, $t->storage;

my $said = `$check 2>&1`;

is($?, 0, 'storage and Redis fit together') or diag($said);
is((grep { $t->get($_->{Image})->{status} != 200 } @$posts), 0,
    'each post has its image');
done_testing();
