package Bench::Requests;

# Requests per second: the feed beside a static file of the same size, and the
# feed and comments beside redis-benchmark, which sends Redis the very commands
# that the module sends.  All at the same concurrency, over kept connections,
# in turns.

use strict;
use warnings;

use Bench::Stats qw(turns table);
use Imagegram qw(spew slurp);

use constant {
    TURNS       => 3,
    SECONDS     => 3,
    CONNECTIONS => 32,
};

my @lines = (
    [ feed          => 'GET posts?limit=20' ],
    [ static        => '  static file, same size' ],
    [ redis_feed    => '  redis-benchmark, same script' ],
    [ comment       => 'POST comments' ],
    [ redis_comment => '  redis-benchmark, same script' ],
);


sub run {
    my ($server, $lua) = @_;

    my $dir = $server->dir;
    my $post = $server->{posts}[ @{ $server->{posts} } / 2 ];
    my $comment = $server->comment($post);
    my $page = $server->t->get('/posts?limit=20')->{body};

    my @feed = $server->redis_command('GET', '/posts?limit=20');
    my @comment = comment_command($server, $comment);

    # dies on an error, which redis-benchmark would count as an answer
    $server->t->redis(@$_) for \@feed, \@comment;

    spew("$dir/comment.json", $comment->{body});
    spew("$dir/files/page.json", $page);

    my $api = 'http://127.0.0.1:' . $server->api;
    my $files = 'http://127.0.0.1:' . $server->files;

    my %code = (
        feed          => sub { wrk($lua, "$api/posts?limit=20") },
        static        => sub { wrk($lua, "$files/page.json") },
        redis_feed    => sub { redis($server, @feed) },
        comment       => sub {
            wrk($lua, "$api$comment->{path}", "$dir/comment.json");
        },
        redis_comment => sub { redis($server, @comment) },
    );
    my %turns;

    for (1 .. TURNS) {
        push @{ $turns{ $_->[0] } }, $code{ $_->[0] }->() for @lines;
    }

    return report(length $page, \%turns);
}


# The command for a comment, with an id that redis-benchmark makes up anew
# each time.

sub comment_command {
    my ($server, $comment) = @_;

    my @command = $server->redis_command('POST', $comment->{path}, %$comment);
    my ($id) = "@command" =~ /"CommentID":"([0-9a-f-]{24})[0-9a-f]{12}"/;

    s/\Q$id\E[0-9a-f]{12}/${id}__rand_int__/g for @command;

    return @command;
}


sub wrk {
    my ($lua, $url, @body) = @_;

    my @command = ('wrk', '-t', 1, '-c', CONNECTIONS, '-d', SECONDS . 's',
        '-s', $lua, $url, @body ? ('--', @body) : ());

    open my $pipe, '-|', @command or die "wrk: $!\n";

    my ($result) = map { /^result (.*)/ ? $1 : () } <$pipe>;

    close $pipe or die "wrk failed\n";

    my ($n, $seconds, $p50, $p99, $max, @wrong) = split / /, $result;

    die "$url: $wrong[0] answers are no 2xx, $wrong[1] errors\n"
        if grep { $_ } @wrong;

    return { rps => $n / $seconds, p50 => $p50, p99 => $p99, max => $max };
}


# As many requests as take about as long as wrk's turn, which a first, short
# run tells.

sub redis {
    my ($server, @command) = @_;

    my $first = redis_benchmark($server, 2000, @command);

    return redis_benchmark($server, int($first->{rps} * SECONDS), @command);
}


sub redis_benchmark {
    my ($server, $n, @command) = @_;

    open my $pipe, '-|', 'redis-benchmark', '-s', $server->t->redis_socket,
        '-c', CONNECTIONS, '-n', $n, '-r', 1e12, '--csv', @command
        or die "redis-benchmark: $!\n";

    # test, rps, avg, min, p50, p95, p99, max; the test is the command itself
    my @fields = map { /"([\d.]+)","([\d.]+)","([\d.]+)","([\d.]+)","([\d.]+)",
        "([\d.]+)","([\d.]+)"\s*$/x ? ($1, $4, $6, $7) : () } <$pipe>;

    close $pipe or die "redis-benchmark failed\n";
    die "redis-benchmark: no figures\n" if @fields != 4;

    my %of;

    @of{qw(rps p50 p99 max)} = @fields;

    return \%of;
}


sub report {
    my ($size, $turns) = @_;

    my %results = map { $_->[0] => turns(@{ $turns->{ $_->[0] } }) } @lines;
    my @rows = [ '', qw(requests/s p50 p99 max ratio) ];
    my $base;

    for my $line (@lines) {
        my ($name, $label) = @$line;
        my $of = $results{$name};

        $base = $of->{rps} unless $label =~ /^ /;
        $of->{ratio} = $base / $of->{rps} if $label =~ /^ /;

        push @rows, [ $label, sprintf('%.0f', $of->{rps}),
            map({ sprintf '%.1f', $of->{$_} } qw(p50 p99 max)),
            $of->{ratio} ? sprintf '%.2f', $of->{ratio} : '' ];
    }

    my $text = sprintf "Requests: %d connections, medians of %d turns of %d s; "
        . "a page is %d bytes; ms\n(ratio: the module's requests per second to "
        . "this line's)\n\n%s", CONNECTIONS, TURNS, SECONDS, $size,
        table(@rows);

    return ({ %results, page_size => $size }, $text);
}


1;
