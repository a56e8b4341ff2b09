package Bench::Requests;

# Requests per second.  The feed: beside a static file of the same bytes,
# beside redis-benchmark, which sends Redis the very commands that the module
# sends, and beside peers.  Comments: beside redis-benchmark.  All at the same
# concurrency, over kept connections, in turns.

use strict;
use warnings;

use Bench::Comments ();
use Bench::Load qw(CONNECTIONS);
use Bench::Peers ();
use Bench::Stats qw(median rates turns);
use Imagegram qw(spew wait_for);

use constant {
    TURNS    => 3,
    SECONDS  => 1.2,
    COMMENTS => 30_000,         # there to be deleted, in each turn
};

# each line is compared with the last one above it that is not indented

my @lines = (
    [ feed          => 'GET posts?limit=20' ],
    [ redis_feed    => '  redis-benchmark, same script' ],
    [ lua           => '  nginx with Lua, its own script' ],
    [ lua_cards     => '  nginx with Lua, our script' ],
    [ node          => '  Node.js, its own script' ],
    [ different     => 'GET posts?limit=20&nextPage=, all different' ],
    [ redis_different => '  redis-benchmark, same script' ],
    [ cached        => 'GET posts?limit=20, imagegram_cache' ],
    [ static        => '  static file, same bytes' ],
    [ comment       => 'POST comments' ],
    [ redis_comment => '  redis-benchmark, same script' ],
    [ removal       => 'DELETE comments' ],
    [ redis_removal => '  redis-benchmark, same script' ],
    [ cached_one    => 'one worker, pinned: GET, imagegram_cache' ],
    [ static_one    => '  static file, same bytes' ],
);
my %label = map { @$_ } @lines;


sub run {
    my ($server, $load) = @_;

    my $self = bless { server => $server, load => $load }, __PACKAGE__;

    # a file that is rewritten in the midst of a turn is another bench
    $server->t->redis(qw(CONFIG SET auto-aof-rewrite-percentage 0));
    $self->prepare;

    my %code = ($self->reads, $self->writes);
    my %turns;

    for (1 .. TURNS) {
        push @{ $turns{$_} }, $code{$_}->()
            for grep { $code{$_} } map { $_->[0] } @lines;
    }

    delete $self->{peers};
    $self->pinned(\%turns);
    $server->t->delete("/posts/$self->{post}");

    my $figures = $self->figures(\%turns);

    return ($figures, text($figures));
}


# The requests, and the commands that Redis is sent for them.

sub prepare {
    my ($self) = @_;

    my $server = $self->{server};
    my $t = $server->t;
    my $post = $self->{post} = $t->post->{PostID};
    my $comment = $server->comment($post);
    my $path = $comment->{path};
    my $id = $t->request('POST', $path, %$comment)->{json}{CommentID};

    $self->{page} = $t->get('/posts?limit=20')->{body};
    $self->{id} = substr $id, 0, 24;

    my %command = (
        feed    => [ $server->redis_command('GET', '/posts?limit=20') ],
        comment => [ $server->redis_command('POST', $path, %$comment) ],
        removal => [ $server->redis_command('DELETE', "$path/$id") ],
    );

    # dies on an error, which redis-benchmark would count as an answer
    $t->redis(@$_) for values %command;

    # with ids that redis-benchmark makes up anew each time
    my ($made) = "@{ $command{comment} }" =~ /"CommentID":"([0-9a-f-]{36})"/;

    s/\Q$made\E/$self->{id}__rand_int__/g for @{ $command{comment} };
    s/\Q$id\E/$self->{id}__rand_int__/g for @{ $command{removal} };

    # the first page, too, as nothing has as many comments
    $command{different} = [ map { s/^\+inf$/(99__rand_int__/r }
        @{ $command{feed} } ];

    $self->{command} = \%command;

    spew($server->dir . '/files/page.json', $self->{page});

    $self->{file} = {
        feed    => $self->file('feed', 'GET /posts?limit=20'),
        different => $self->file('different',
            'GET /posts?limit=20&nextPage=f1__counter___'),
        static  => $self->file('static', 'GET /page.json'),
        comment => $self->file('comment', "POST $path", $comment->{body}),
        removal => $self->file('removal',
            "DELETE $path/$self->{id}__counter___"),
    };

    $self->{peers} = Bench::Peers->new($server, scalar $t->worker_pids,
        $command{feed}[1]);
}


sub file {
    my ($self, $name, $line, $body) = @_;

    return Bench::Load::request($self->{server}->dir . "/$name.request", $line,
        $body);
}


# --- turns

sub reads {
    my ($self) = @_;

    my $server = $self->{server};
    my $peers = $self->{peers};

    return (
        feed       => sub { $self->http(feed => $server->api) },
        redis_feed => sub { $self->redis('feed') },
        different  => sub { $self->http(different => $server->api) },
        redis_different => sub { $self->redis('different') },
        static     => sub { $self->http(static => $server->files) },
        cached     => sub { $self->http(feed => $server->cached) },
        map {
            my $name = $_;
            $peers->port($name) ? ($name => sub {
                $self->http(feed => $peers->port($name),
                    pids => { $self->pids, server => [ $peers->pids($name) ] })
            }) : ();
        } qw(lua lua_cards node),
    );
}


sub writes {
    my ($self) = @_;

    my $api = $self->{server}->api;

    return (
        comment       => sub { $self->http(comment => $api) },
        redis_comment => sub { $self->redis('comment') },
        removal       => sub {
            $self->comments;
            $self->http(removal => $api, most => COMMENTS);
        },

        # one in twenty is not there any more when its turn comes
        redis_removal => sub {
            $self->comments;
            $self->redis('removal', COMMENTS / 10, COMMENTS);
        },
    );
}


sub http {
    my ($self, $request, $port, %options) = @_;

    return Bench::Load::http($self->{load}, SECONDS, $port,
        $self->{file}{$request}, pids => { $self->pids }, %options);
}


# As many as take about as long as a turn, which a first, short run tells.

sub redis {
    my ($self, $name, $n, $range) = @_;

    my $socket = $self->{server}->t->redis_socket;
    my @command = @{ $self->{command}{$name} };

    $range //= 1e12;
    $n //= int(SECONDS * Bench::Load::redis($socket, 2000, $range, {},
        @command)->{rps});

    return Bench::Load::redis($socket, $n, $range, { $self->pids }, @command);
}


sub pids {
    my ($self) = @_;

    my $t = $self->{server}->t;

    return (server => [ $t->worker_pids ], redis => [ $t->redis_pid ]);
}


# Gives the post comments that can be deleted.

sub comments {
    my ($self) = @_;

    Bench::Comments::put($self->{server}->t, 'imagegram', @$self{qw(post id)},
        COMMENTS);
}


# --- one worker on a processor of its own, the client on another one

sub pinned {
    my ($self, $turns) = @_;

    my $server = $self->{server};
    my $t = $server->t;
    my ($workers, $main) = @$t{qw(workers main)};

    return if $t->worker_pids < 2;

    $t->reload(workers => 1, main => "$main worker_cpu_affinity 1;");
    wait_for(sub { $t->worker_pids == 1 }, 60) or die "old workers stay\n";

    for (1 .. TURNS) {
        push @{ $turns->{cached_one} },
            $self->http(feed => $server->cached, cpu => 1);
        push @{ $turns->{static_one} },
            $self->http(static => $server->files, cpu => 1);
    }

    $t->reload(workers => $workers, main => $main);
}


# --- the table

sub figures {
    my ($self, $turns) = @_;

    my %results = map { $_ => turns(@{ $turns->{$_} }) } keys %$turns;
    my $base;

    for my $name (map { $_->[0] } grep { $results{ $_->[0] } } @lines) {
        $base = $name if $label{$name} !~ /^ /;

        $results{$name}{ratio} = median(map {
            $turns->{$base}[$_]{rps} / $turns->{$name}[$_]{rps}
        } 0 .. TURNS - 1) if $base ne $name;
    }

    return { %results, page_size => length $self->{page} };
}


sub text {
    my ($figures) = @_;

    return sprintf "Requests: %d connections, medians of %d turns of %s s; "
        . "a page is %d bytes; ms\n(ratio: the module's requests per second to "
        . "this line's, in the same turn; server,\nRedis: microseconds of "
        . "processor time a request)\n\n%s", CONNECTIONS, TURNS, SECONDS,
        $figures->{page_size}, rates($figures, @lines);
}


1;
