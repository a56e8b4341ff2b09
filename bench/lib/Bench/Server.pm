package Bench::Server;

# The server under test, as script/run sets it up, with the same nginx's own
# dav and static files beside it.
#
# Owns the instance (Imagegram, from t/lib), which ends with this process.

use strict;
use warnings;

use JSON::PP ();
use Time::HiRes ();

use Imagegram qw(spew slurp);
use Imagegram::Body ();
use Imagegram::HTTP ();
use Imagegram::Image ();

use constant {
    COMMENTS => 2,
    SENDERS  => 8,
};

my $json = JSON::PP->new->utf8->canonical;


# memory: Redis keeps no file.  X-Worker tells the probe which worker answered.

sub new {
    my ($class, %options) = @_;

    my @redis = delete $options{memory} ? '--appendonly no'
        : '--appendfsync always';

    my $t = Imagegram->new(
        workers => 'auto',
        connections => 16384,
        log     => 'error',
        main    => 'worker_rlimit_nofile 20000;',
        http    => 'sendfile on; tcp_nopush on; keepalive_requests 10000;
            server_tokens off; add_header X-Worker $pid always;',
        servers => 'server {
            listen 127.0.0.1:%%PORT_2%%;
            root %%DIR%%/files;
            location /dav/ {
                dav_methods PUT DELETE;
            }
        }
        server {
            listen 127.0.0.1:%%PORT_3%%;
            location / {
                imagegram;
                imagegram_cache zone=feed:10m;
            }
        }',
        redis   => \@redis,
        %options,
    );

    mkdir "$t->{dir}/files";
    mkdir "$t->{dir}/files/dav";
    chmod 0777, "$t->{dir}/files/dav";
    $t->start;

    return bless { t => $t, boundary => 'bench-boundary' }, $class;
}


sub t     { $_[0]{t} }
sub dir   { $_[0]{t}->dir }
sub api   { $_[0]{t}->port }
sub files { $_[0]{t}->port(2) }
sub cached { $_[0]{t}->port(3) }    # the API, with the cache


# The feed: everything through the API, bodies of 100 characters from a seed.

sub fill {
    my ($self, $posts) = @_;

    srand 1;

    my $image = Imagegram::Image::png(8, 8);
    my (@posts, @requests);

    for my $n (1 .. $posts) {
        my ($type, $body) = Imagegram::Body::multipart(
            author => "author $n", body => words(100), image => $image);

        push @requests, { method => 'POST', path => '/posts', body => $body,
            headers => [ 'Content-Type' => $type ] };
    }

    $self->all(\@requests, sub { push @posts, $_[0]{json}{PostID} });

    @requests = map { ($self->comment($_)) x COMMENTS } @posts;
    $self->all(\@requests, sub { });

    $self->{posts} = \@posts;

    return $self;
}


sub comment {
    my ($self, $post) = @_;

    return {
        method  => 'POST',
        path    => "/posts/$post/comments",
        headers => [ 'Content-Type' => 'application/json' ],
        body    => $json->encode({ author => 'ben', body => words(100) }),
    };
}


# Sends requests over some connections; each must be answered with 201.

sub all {
    my ($self, $requests, $answered) = @_;

    my @left = @$requests;
    my @connections = map { $self->t->connect } 1 .. SENDERS;

    $_->send(%{ shift @left }) for @connections;

    Imagegram::HTTP::run(\@connections, 300, sub {
        my ($c) = @_;
        my $r = $c->response;

        $r->{status} == 201 or die "$r->{status}: $r->{body}\n";
        $answered->($r);
        $c->send(%{ shift @left }) if @left;
    });
}


# What Redis is sent for a request: the arguments of its command.

sub redis_command {
    my ($self, $method, $path, %options) = @_;

    my $monitor = Imagegram::Redis->new($self->t->redis_socket);

    $monitor->command('MONITOR');
    $self->t->request($method, $path, %options);

    my $line;

    do { $line = $monitor->reply } until $line =~ /\] "(?:EVALSHA|HGET)"/i;

    my @arguments = $line =~ /"((?:[^"\\]|\\.)*)"/g;

    s/\\(x[0-9a-f]{2}|.)/unescape($1)/ge for @arguments;

    return @arguments;
}


# How long Redis waits for its disk, by its own account: ms, at most, since it
# is watched.

sub watch_sync {
    my ($self) = @_;

    $self->t->redis(qw(CONFIG SET latency-monitor-threshold 1));
    $self->t->redis(qw(LATENCY RESET));
}


sub longest_sync {
    my ($self) = @_;

    my %longest = map { $_->[0] => $_->[3] }
        @{ $self->t->redis(qw(LATENCY LATEST)) };

    return $longest{'aof-fsync-always'} // 0;
}


sub unescape {
    my ($c) = @_;

    my %named = (n => "\n", r => "\r", t => "\t", a => "\a", b => "\b");

    return length $c > 1 ? chr hex substr $c, 1 : $named{$c} // $c;
}


sub words {
    my ($length) = @_;

    my $text = '';

    $text .= join('', map { chr 97 + rand 26 } 1 .. 2 + rand 8) . ' '
        while length $text < $length;

    return substr($text, 0, $length - 1) . '.';
}


1;
