package Bench::Scale;

# What a page costs in a small and in a huge feed, at its first and at its last
# page, where no post has a comment; and what 100,000 comments on one post
# cost.  Redis is filled directly.
#
# One nginx has a location for each feed, with a prefix of its own; what is
# compared is asked for in turns.

use strict;
use warnings;

use Time::HiRes ();

use Bench::Comments ();
use Bench::Load qw(CONNECTIONS);
use Bench::Server ();
use Bench::Stats qw(median rates turns);
use Imagegram qw(memory slurp);

use constant {
    TURNS    => 5,
    SECONDS  => 1,
    SMALL    => 10_000,         # posts
    FEW      => 3000,           # comments, all of which a turn deletes
    MANY     => 100_000,
    PART     => 1000,           # posts of one call
    ID       => '11111111-1111-4111-8111-',
};

# each line is compared with the last one above it that is not indented

my @lines = (
    [ first_small => 'GET posts, first page, of %s posts', 'small' ],
    [ first_large => '  of %s', 'large' ],
    [ last_small  => 'GET posts, last page, of %s posts', 'small' ],
    [ last_large  => '  of %s', 'large' ],
    [ add_none    => 'POST comments, to a post without' ],
    [ add_many    => '  to one with %s', 'many' ],
    [ remove_few  => 'DELETE comments, of a post with %s', 'few' ],
    [ remove_many => '  of one with %s', 'many' ],
    [ read_few    => 'GET comments, first 20 of %s', 'few' ],
    [ read_many   => '  first 20 of %s', 'many' ],
    [ end_many    => '  last 20 of %s', 'many' ],
);


sub run {
    my ($load, $posts) = @_;

    my $server = Bench::Server->new(
        memory   => 1,
        location => '/small/',
        settings => { key_prefix => 'small' },
        server   => 'location /large/ {
            imagegram;
            imagegram_key_prefix large;
        }',
    );
    my $self = bless { server => $server, load => $load,
        size => { small => SMALL, large => $posts, few => FEW,
            many => MANY } }, __PACKAGE__;
    my $start = Time::HiRes::time();

    $self->posts($_) for qw(small large);
    $self->{filled} = Time::HiRes::time() - $start;

    my %turns;

    for my $turn (1 .. TURNS) {
        $self->pages(\%turns);
        $self->comments(\%turns, $turn);
    }

    my $figures = $self->figures(\%turns);

    return ($figures, text($figures));
}


# Fills a feed; its last post is at the top.

sub posts {
    my ($self, $feed) = @_;

    my $t = $self->{server}->t;
    my $script = $t->redis('SCRIPT', 'LOAD',
        slurp($t->top . '/bench/fill.lua'));

    for (my $n = 1; $n <= $self->{size}{$feed}; $n += PART) {
        $t->redis('EVALSHA', $script, 3, map({ "$feed:{0}:$_" } qw(feed seq
            cards)), "$feed:{0}:post:", $n, $n + PART - 1);
    }

    $self->settle($feed);
}


# Redis's tables grow step by step, one with each look: not in what is measured.

sub settle {
    my ($self, $feed) = @_;

    my $t = $self->{server}->t;
    my $looks = "for i = 1, ${\PART} do redis.call('ZSCORE', KEYS[1], i)
        redis.call('HSTRLEN', KEYS[2], i) redis.call('EXISTS', KEYS[3]) end";

    for (my $n = 0; $n < $self->{size}{$feed}; $n += PART) {
        $t->redis('EVAL', $looks, 3, map { "$feed:{0}:$_" } qw(feed cards
            post));
    }
}


sub pages {
    my ($self, $turns) = @_;

    # below score 21 are the 20 first posts
    my %query = (first => 'limit=20', last => 'limit=20&nextPage=f15');

    for my $page (qw(first last)) {
        push @{ $turns->{"${page}_$_"} },
            $self->turn("GET /$_/posts?$query{$page}") for qw(small large);
    }
}


# Of posts that are new in each turn: what is written stays.

sub comments {
    my ($self, $turns, $turn) = @_;

    my $t = $self->{server}->t;
    my ($none, $few, $many) = map { $t->post->{PostID} } 1 .. 3;
    my %path = map { $_->[0] => "/small/posts/$_->[1]/comments" }
        [ none => $none ], [ few => $few ], [ many => $many ];

    Bench::Comments::put($t, 'small', $few, ID, FEW);
    Bench::Comments::put($t, 'small', $many, ID, MANY);

    push @{ $turns->{"read_$_"} }, $self->turn("GET $path{$_}") for qw(few
        many);
    push @{ $turns->{end_many} }, $self->turn("GET $path{many}?nextPage=c15");

    push @{ $turns->{"remove_$_"} }, $self->turn("DELETE $path{$_}/"
        . ID . '__counter___', undef, FEW) for qw(few many);
    push @{ $turns->{"add_$_"} }, $self->turn("POST $path{$_}",
        '{"author":"ben","body":"wow"}') for qw(none many);

    for my $post ($none, $few, $many) {
        my $start = Time::HiRes::time();

        $t->delete("/small/posts/$post")->{status} == 204
            or die "a post stays\n";

        push @{ $self->{unlink}{$post eq $many ? 'many' : 'few'} },
            1e3 * (Time::HiRes::time() - $start) if $post ne $none;
    }
}


sub turn {
    my ($self, $line, $body, $most) = @_;

    my $server = $self->{server};
    my $t = $server->t;
    my $file = Bench::Load::request($server->dir . '/request', $line, $body);

    return Bench::Load::http($self->{load}, SECONDS, $t->port, $file,
        most => $most, pids => { server => [ $t->worker_pids ],
            redis => [ $t->redis_pid ] });
}


sub figures {
    my ($self, $turns) = @_;

    my %results = map { $_ => turns(@{ $turns->{$_} }) } keys %$turns;
    my $base;

    for my $line (@lines) {
        my ($name, $label) = @$line;

        $base = $name if $label !~ /^ /;

        $results{$name}{ratio} = median(map {
            $turns->{$name}[$_]{rps} / $turns->{$base}[$_]{rps}
        } 0 .. TURNS - 1) if $base ne $name;
    }

    return {
        %results,
        posts     => $self->{size}{large},
        filled    => $self->{filled},
        gigabytes => memory($self->{server}->t->redis_pid) / 2**30,
        unlink    => { map { $_ => median(@{ $self->{unlink}{$_} }) }
            qw(few many) },
    };
}


sub text {
    my ($figures) = @_;

    my %size = (small => SMALL, large => $figures->{posts}, few => FEW,
        many => MANY);

    $_ = thousands($_) for values %size;

    return sprintf "Scale: %d connections, medians of %d turns of %d s, "
        . "Redis without a file, %.1f GB, filled\nin %.0f s; ms (ratio: to the "
        . "line above that is not indented; server, Redis:\nmicroseconds of "
        . "processor time a request)\n\n%s\n   DELETE of a post with %s "
        . "comments: %.1f ms, with %s: %.1f\n", CONNECTIONS, TURNS, SECONDS,
        @$figures{qw(gigabytes filled)},
        rates($figures, map { [ $_->[0], $_->[1] =~ s/%s/$size{ $_->[2] }/r ] }
            @lines),
        map { ($size{$_}, $figures->{unlink}{$_}) } qw(few many);
}


sub thousands {
    my ($n) = @_;

    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;

    return $n;
}


1;
