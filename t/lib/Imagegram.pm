package Imagegram;

# A private nginx and a private Redis for one test file, below one temporary
# folder.  Both end with the test, which fails if anything that must not be
# there is found in a log.
#
#   my $t = Imagegram->new(workers => 2, api => 'imagegram_max_body 10;');
#   $t->start;
#   my $r = $t->form('posts', author => 'ann', body => 'x', image => $png);
#   is($r->{status}, 201);
#
# IMAGEGRAM_BUILD is the build to test (build), IMAGEGRAM_CACHE what
# imagegram_cache is set to where a test does not say (off);
# IMAGEGRAM_TEST_LEAVE=1 keeps the folder, IMAGEGRAM_VALGRIND=1 runs nginx, but
# no converter, under valgrind: what that finds is a fault.

use strict;
use warnings;

use Exporter 'import';
use Cwd ();
use File::Basename ();
use File::Copy ();
use File::Find ();
use File::Path ();
use File::Temp ();
use IO::Socket::INET ();
use JSON::PP ();
use Test::More ();

use Imagegram::Body ();
use Imagegram::Conf ();
use Imagegram::HTTP ();
use Imagegram::Image ();
use Imagegram::Process
    qw(spawn alive suspend children cmdline memory open_files wait_for slurp
    spew);
use Imagegram::Redis ();

our @EXPORT_OK = qw(alive memory open_files slurp spew suspend wait_for);

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
my $json = JSON::PP->new->utf8->canonical;
my @instances;

$SIG{PIPE} = 'IGNORE';
$SIG{$_} //= sub { exit 1 } for qw(HUP INT TERM);    # END is to run


# Options:
#
#   workers     1
#   connections 1024, a worker
#   location    '/': where the API lives
#   main, http, server, api    more directives, at that level (api: beside
#               "imagegram;")
#   servers     more server blocks
#   settings    { name => value }: imagegram_<name> at the http level; undef
#               leaves out one of redis, storage, sweep, converters
#   users       { name => password }: basic auth for what writes, and
#               imagegram_user $remote_user
#   http2       a second port, number 2, that speaks HTTP/2
#   log         'info', or another level
#   conf        a whole nginx.conf in place of all that
#   redis       arguments for redis-server; undef: no Redis
#   preload     a library that nginx is started with
#   daemon      nginx goes to the background, as only then it can be upgraded
#   leaks       under AddressSanitizer: what is lost when a process ends is a
#               fault
#   wrap        a command that nginx and Redis are started through
#
# %%DIR%%, %%MODULE%%, %%CONVERTER%%, %%REDIS%%, %%PORT%% and %%PORT_2%% ... are
# substituted in all of them.

sub new {
    my ($class, %options) = @_;

    my $self = bless {
        workers  => 1,
        connections => 1024,
        location => '/',
        log      => 'info',
        redis    => [],
        %options,
        owner    => $$,
        ports    => {},
        expected => [],
        dir      => File::Temp::tempdir('imagegram-XXXXXX', TMPDIR => 1),
        build    => Cwd::abs_path($ENV{IMAGEGRAM_BUILD} // "$top/build"),
    }, $class;

    push @instances, $self;

    # what workers need must be reachable to them, wherever the checkout is
    chmod 0755, $self->{dir};
    mkdir "$self->{dir}/$_" for qw(logs tmp redis sanitizer);
    chmod 0777, "$self->{dir}/sanitizer";
    File::Copy::copy("$self->{build}/imagegram-convert", $self->converter)
        or die "$self->{build}/imagegram-convert: $!\n";
    chmod 0755, $self->converter;

    if ($self->{users}) {
        spew("$self->{dir}/htpasswd", join '',
            map { "$_:{PLAIN}$self->{users}{$_}\n" } sort keys
            %{ $self->{users} });
    }

    return $self;
}


sub dir       { $_[0]{dir} }
sub top       { $top }
sub converter { "$_[0]{dir}/imagegram-convert" }
sub storage   { "$_[0]{dir}/storage" }
sub sanitized { ($ENV{IMAGEGRAM_BUILD} // '') =~ /asan/ }   # of the class, too


# Makes a program of a file in t/lib, or with -shared a library to be preloaded

sub compile {
    my ($class, $name, $program, @options) = @_;

    my $source = "$top/t/lib/$name";

    system(qw(cc -Wall -Wextra -Werror), @options, '-o', $program, $source) == 0
        or die "$source does not compile\n";
}


# the number of the n-th port, the same at every call

sub port {
    my ($self, $n) = @_;

    return $self->{ports}{ $n // 1 } //= do {
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
            or die "no free port: $!\n";
        $s->sockport;
    };
}


sub start {
    my ($self) = @_;

    $self->start_redis if $self->{redis};
    $self->start_nginx;

    return $self;
}


# --- nginx

sub conf {
    my ($self) = @_;

    my $text = $self->{conf} // Imagegram::Conf::text($self);

    my %values = (
        DIR       => $self->dir,
        MODULE    => "$self->{build}/ngx_http_imagegram_module.so",
        CONVERTER => $self->converter,
        REDIS     => 'unix:' . $self->redis_socket,
    );

    $text =~ s/%%PORT(?:_(\d+))?%%/$self->port($1)/ge;
    $text =~ s/%%([A-Z]+)%%/$values{$1} \/\/ die "unknown %%$1%%\n"/ge;

    return $text;
}


sub nginx_command {
    my ($self, @arguments) = @_;

    spew("$self->{dir}/nginx.conf", $self->conf);

    my $command = join ' ', $self->{wrap} // (), '/usr/sbin/nginx', '-p',
        "$self->{dir}/", '-c', "$self->{dir}/nginx.conf", '-e',
        "$self->{dir}/logs/error.log", @arguments;

    my @libraries = $self->{preload} // ();

    if ($self->sanitized) {
        unshift @libraries, map { `gcc -print-file-name=$_` =~ s/\n//r }
            qw(libasan.so libubsan.so);
    }

    $command = "valgrind -q --log-file=$self->{dir}/sanitizer/valgrind.%p "
        . $command if $ENV{IMAGEGRAM_VALGRIND};
    $command = "LD_PRELOAD='@libraries' $command" if @libraries;

    return $self->sanitizers . $command;
}


# the sanitizers' variables in front of a command

sub sanitizers {
    my ($self) = @_;

    return '' unless $self->sanitized;

    my $path = "$self->{dir}/sanitizer";

    my $leaks = $self->{leaks} ? 1 : 0;

    return "ASAN_OPTIONS=detect_leaks=$leaks:log_path=$path/asan"
        . " UBSAN_OPTIONS=print_stacktrace=1:log_path=$path/ubsan ";
}


# nginx -t with this configuration: its exit status and what it said

sub check_conf {
    my ($self) = @_;

    my $command = $self->nginx_command('-t');
    my $output = `$command 2>&1`;

    return ($? >> 8 || $? & 127, $output);
}


# Without a wait: it may be stopped on its way.

sub begin_nginx {
    my ($self) = @_;

    if ($self->{daemon}) {
        my $said = "$self->{dir}/logs/nginx";

        system($self->nginx_command . " > '$said' 2>&1") == 0
            or die "nginx did not start:\n", slurp($said), "\n";
        $self->{nginx} = slurp("$self->{dir}/nginx.pid") + 0;

    } else {
        my $command = $self->nginx_command('-g', "'daemon off;'");

        $self->{nginx} = spawn($command, "$self->{dir}/logs/nginx");
    }
}


sub start_nginx {
    my ($self) = @_;

    $self->begin_nginx;

    my ($port) = $self->conf =~ /listen 127\.0\.0\.1:(\d+)/;

    wait_for(sub {
        Imagegram::HTTP::listens($port) && $self->worker_pids
            || !alive($self->{nginx});
    }, 30);
    alive($self->{nginx})
        or die "nginx did not start:\n", slurp("$self->{dir}/logs/nginx"),
            "\n";
}


# Ends nginx as an admin would.  What does not end within a minute is killed,
# and said.

sub stop_nginx {
    my ($self, $signal) = @_;

    my $pid = delete $self->{nginx} or return;

    kill $signal // 'QUIT', $pid;
    return if wait_for(sub { !alive($pid) }, $signal ? 60 : 10);

    kill 'TERM', $pid;
    return if wait_for(sub { !alive($pid) }, 50);

    push @{ $self->{faults} }, 'nginx did not end';
    kill 'KILL', $_ for $self->worker_pids($pid), $pid;
    waitpid $pid, 0;
}


# Reloads, with the options changed, and waits until only new workers serve:
# the old ones accept connections for a moment longer.

sub reload {
    my ($self, %options) = @_;

    %$self = (%$self, %options);
    spew("$self->{dir}/nginx.conf", $self->conf);

    my %old = map { $_ => 1 } $self->worker_pids;

    kill 'HUP', $self->{nginx};

    wait_for(sub {
        my @pids = $self->worker_pids;

        return (grep { !$old{$_} } @pids)
            && !grep { $old{$_} && cmdline($_) !~ /shutting down/ } @pids;
    }, 30) or die "nginx did not reload:\n", $self->log, "\n";
}


# Reloads, and waits until the old workers are gone.

sub replace_workers {
    my ($self, %options) = @_;

    $self->reload(%options);
    wait_for(sub { $self->worker_pids == $self->{workers} }, 60)
        or die "the old workers stay:\n", $self->log(20), "\n";
}


sub nginx_pid { $_[0]{nginx} }


# under valgrind a process cannot give itself a title

sub worker_pids {
    my ($self, $master) = @_;

    return grep { cmdline($_) =~ m{^nginx: worker process|^/\S*valgrind} }
        children($master // $self->{nginx});
}


# the converters themselves, one a worker

sub converter_pids {
    my ($self) = @_;
    return grep { cmdline($_) =~ /imagegram-convert/ }
        map { children($_) } $self->worker_pids;
}

# the one of the only worker, which may have been started a moment ago

sub converter_pid {
    my ($self) = @_;
    return wait_for(sub { ($self->converter_pids)[0] }, 30)
        // die "no converter:\n", $self->log(20), "\n";
}

# their children, which convert

sub conversion_pids {
    my ($self) = @_;
    return map { children($_) } $self->converter_pids;
}


# --- Redis

sub redis_socket { "$_[0]{dir}/redis/redis.sock" }
sub redis_pid    { $_[0]{redis_pid} }


# Without a wait: it may be stopped on its way.

sub begin_redis {
    my ($self, @arguments) = @_;

    $self->{redis_pid} = spawn(join(' ', $self->{wrap} // (),
        'redis-server --port 0',
        '--unixsocket', $self->redis_socket, '--unixsocketperm 777',
        '--dir', "$self->{dir}/redis", "--save '' --appendonly yes",
        @{ $self->{redis} // [] }, @arguments), "$self->{dir}/logs/redis");

    delete $self->{redis_client};
}


sub start_redis {
    my ($self) = @_;

    $self->begin_redis;
    wait_for(sub { eval { $self->redis('PING') } }, 30)
        or die "Redis did not start:\n", slurp("$self->{dir}/logs/redis"),
        "\n";
}


sub stop_redis {
    my ($self, $signal) = @_;

    my $pid = delete $self->{redis_pid} or return;

    delete $self->{redis_client};
    $signal //= 'TERM';

    # one that was stopped must not go on for a moment before it is killed
    kill 'CONT', $pid unless $signal eq 'KILL';
    kill $signal, $pid;
    return if wait_for(sub { !alive($pid) }, 30);

    push @{ $self->{faults} }, 'Redis did not end';
    kill 'KILL', $pid;
    waitpid $pid, 0;
}


# One command; gives the reply, dies on an error.

sub redis {
    my ($self, @command) = @_;

    $self->{redis_client} //= Imagegram::Redis->new($self->redis_socket);

    my $reply = eval { $self->{redis_client}->command(@command) };

    if ($@) {
        delete $self->{redis_client};
        die $@;
    }

    return $reply;
}


# How many scripts Redis was asked for

sub scripts {
    my ($self) = @_;

    my $calls = 0;

    $calls += $_ for $self->redis(qw(INFO commandstats))
        =~ /^cmdstat_eval\w*:calls=(\d+)/mg;

    return $calls;
}


# Whether a page comes from the cache, once that is trusted: a moment after the
# start, and after each doubt.

sub caches {
    my ($self, $path, %options) = @_;

    return wait_for(sub {
        $self->get($path, %options);
        my $before = $self->scripts;
        $self->get($path, %options) for 1 .. 10;
        $self->scripts == $before;
    }, 60);
}


# --- requests

# A path without a slash in front is one of the API.

sub path {
    my ($self, $path) = @_;
    return $path =~ m{^/} ? $path : "$self->{location}$path";
}


sub connect {
    my ($self, %options) = @_;
    return Imagegram::HTTP->new(port => $self->port, %options);
}


# One request on a connection of its own; see Imagegram::HTTP::send.  user =>
# name adds basic auth, json => data a body.

sub request {
    my ($self, $method, $path, %options) = @_;

    my $c = $self->connect(port => $self->port(delete $options{port}));

    return $c->request($self->prepare($method, $path, %options));
}


sub prepare {
    my ($self, $method, $path, %options) = @_;

    my @headers = @{ $options{headers} // [] };

    if (defined(my $user = delete $options{user})) {
        push @headers, Authorization =>
            Imagegram::HTTP::basic($user, $self->{users}{$user} // '');
    }

    if (exists $options{json}) {
        $options{body} = $json->encode(delete $options{json});
        push @headers, 'Content-Type' => 'application/json';
    }

    return (
        method => $method,
        path   => $self->path($path),
        %options,
        headers => \@headers,
    );
}


sub get    { my $self = shift; $self->request('GET',    @_) }
sub head   { my $self = shift; $self->request('HEAD',   @_) }
sub delete { my $self = shift; $self->request('DELETE', @_) }

sub json {
    my ($self, $path, $data, %options) = @_;
    return $self->request('POST', $path, json => $data, %options);
}

# fields: name, value, ... as in Imagegram::Body::multipart

sub form {
    my ($self, $path, $fields, %options) = @_;

    my ($type, $body, $length) = Imagegram::Body::multipart(@$fields);

    return $self->request('POST', $path, length => $length, %options,
        body => $body,
        headers => [ 'Content-Type' => $type, @{ $options{headers} // [] } ]);
}


# A post with a small image, made; gives the post.

sub post {
    my ($self, %options) = @_;

    my %fields = (author => 'ann', body => 'first light', %options);
    my $user = delete $fields{user};

    $fields{image} //= $self->{image} //= Imagegram::Image::png(8, 8);

    my $r = $self->form('posts', [%fields],
        defined $user ? (user => $user) : ());

    $r->{status} == 201
        or die "no post: $r->{status} $r->{body}\n", $self->log(20), "\n";

    return $r->{json};
}


# A post on its way, sent but not answered; gives the connection.

sub upload {
    my ($self, $image, %options) = @_;

    my ($type, $body, $length) = Imagegram::Body::multipart(author => 'ann',
        body => 'x', image => $image);

    return $self->connect->send($self->prepare('POST', 'posts',
        body => $body, length => $length, %options,
        headers => ['Content-Type' => $type]))->flush;
}


# A comment; gives it.

sub comment {
    my ($self, $post, %options) = @_;

    my %fields = (author => 'ben', body => 'wow', %options);
    my $user = delete $fields{user};

    delete $fields{author} if defined $user;

    my $r = $self->json("posts/$post/comments", \%fields,
        defined $user ? (user => $user) : ());

    $r->{status} == 201
        or die "no comment: $r->{status} $r->{body}\n", $self->log(20), "\n";

    return $r->{json};
}


# Posts without images, as many as one likes, put into Redis by the module's
# own script; gives their PostIDs, the oldest first.

sub seed {
    my ($self, $n, $prefix) = @_;

    my $key = ($prefix // 'imagegram') . ':{0}';
    my $script = slurp("$top/src/lua/card.lua")
        . slurp("$top/src/lua/create_post.lua");
    my @ids;

    for (1 .. $n) {
        my $id = sprintf '%04x%04x-%04x-4%03x-8%03x-%04x%04x%04x',
            map { int rand $_ } (65536) x 3, (4096) x 2, (65536) x 3;

        $self->redis('EVAL', $script, 5, "$key:feed", "$key:seq",
            "$key:cards", "$key:post:$id", "$key:buried:$id", $id, 'ann', 'png',
            qq({"PostID":"$id","Timestamp":), ',"Author":"ann"',
            '"Body":"first light"');
        push @ids, $id;
    }

    return @ids;
}


# All items of a list, by its cursors, and the number of pages.  A path with a
# query already; may carry what request() takes.

sub walk {
    my ($self, $path, %options) = @_;

    my ($list) = $path =~ m{(posts|comments)\?};
    my ($next, $pages, @items) = ('', 0);

    while (1) {
        my $r = $self->get("$path$next", %options);

        $r->{status} == 200 or die "GET $path$next: $r->{status}\n";
        $pages++ > 10_000 and die "$path has no end\n";

        push @items, @{ $r->{json}{$list} };
        defined $r->{json}{nextPage} or return (\@items, $pages);
        $next = "&nextPage=$r->{json}{nextPage}";
    }
}


# A request by curl, which speaks HTTP/2 (--http2-prior-knowledge, on port 2),
# and TLS, where the path is a URL.

sub curl {
    my ($self, $port, $path, @arguments) = @_;

    my $url = $path =~ /^https:/ ? $path
        : sprintf 'http://127.0.0.1:%d%s', $self->port($port),
            $self->path($path);

    open my $pipe, '-|', 'curl', '-sSi', @arguments, $url
        or die "curl: $!\n";
    binmode $pipe;

    my $answer = do { local $/; <$pipe> };

    close $pipe;

    return Imagegram::HTTP::parse($answer // '');
}


# imagegram-convert by hand, on an image's bytes or { file => path }: its exit
# status, what it said, and the JPEG.

sub convert {
    my ($self, $image, @options) = @_;

    my ($in, $out) = map { "$self->{dir}/convert.$_" } qw(in out);

    ref $image ? $in = $image->{file} : spew($in, $image);
    unlink $out;

    my $command = $self->sanitizers
        . join ' ', map { "'$_'" } $self->converter, @options, $in, $out;
    my $said = `$command 2>&1`;

    return ($? & 127 ? "signal $?" : $? >> 8, $said, slurp($out));
}


# --- what is stored

# The files below these folders of the storage, or all of them, in order

sub files {
    my ($self, @folders) = @_;

    my @files;
    my $top = $self->storage;

    @folders = qw(tmp images originals uploads) unless @folders;

    File::Find::find({
        no_chdir => 1,
        wanted   => sub { push @files, substr $_, 1 + length $top if -f $_ },
    }, grep { -d $_ } map { "$top/$_" } @folders);

    @files = sort @files;

    return @files;
}


# All files and keys, to see whether anything has changed; that Redis knows the
# storage, a moment after the start, and that a PostID is not to be used again
# are no changes.

sub stored {
    my ($self) = @_;
    return [$self->files,
        grep { !/:storages$|:buried:/ } sort @{ $self->redis('KEYS', '*') }];
}


# --- logs

sub log {
    my ($self, $lines) = @_;

    my @log = split /^/, slurp("$self->{dir}/logs/error.log");

    splice @log, 0, -$lines if $lines && @log > $lines;

    return join '', @log;
}


# Lines that match are no fault, as after killing a process on purpose.

sub expect_log {
    my ($self, @patterns) = @_;
    push @{ $self->{expected} }, @patterns;
}


sub faults {
    my ($self) = @_;

    my @lines = grep {
        /\[(?:alert|emerg|crit)\]|Sanitizer|runtime error:/
    } split /\n/, $self->log;

    for my $file (glob "$self->{dir}/sanitizer/*") {
        push @lines, split /\n/, slurp($file);
    }

    for my $pattern (@{ $self->{expected} }) {
        @lines = grep { $_ !~ $pattern } @lines;
    }

    return (@{ $self->{faults} // [] }, @lines);
}


# A fault fails the file, also where all of its tests passed.

sub finish {
    my ($self) = @_;

    return $self->{clean} if $self->{finished}++;

    $self->{steps}->pass if $self->{steps};
    $self->stop_nginx;
    $self->stop_redis;

    my @faults = $self->faults;

    Test::More::diag("unexpected, from $self->{dir}:") if @faults;
    Test::More::diag("    $_") for @faults;

    if ($ENV{IMAGEGRAM_TEST_LEAVE}) {
        Test::More::diag("left: $self->{dir}");

    } else {
        File::Path::remove_tree($self->{dir}, { safe => 0 });
    }

    return $self->{clean} = @faults == 0;
}

END {
    my $status = $?;

    for my $instance (grep { $_->{owner} == $$ } @instances) {
        $instance->finish or $status ||= 1;
    }

    $? = $status;
}


1;
