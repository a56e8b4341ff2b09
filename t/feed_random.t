#!/usr/bin/perl

# A random workload of several clients at once, against a model: what the feed
# says while posts change, and what it says afterwards.
#
# IMAGEGRAM_SEED repeats a workload, though not its timing; IMAGEGRAM_OPERATIONS
# makes it longer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use constant CLIENTS => 6;


my $seed = $ENV{IMAGEGRAM_SEED} // time % 1_000_000;
my $operations = $ENV{IMAGEGRAM_OPERATIONS} // 2000;

diag("IMAGEGRAM_SEED=$seed");
srand $seed;

my $t = Imagegram->new(
    workers => 3,
    http    => 'keepalive_requests 100000;',
)->start;


# The model: of each post when its creation was sent and answered, its comments
# (the same of each), how many changes it saw, and from when to when each of
# them may have taken effect.  That of the latest is open while it runs.

my (%posts, @alive);

sub add_post {
    my ($id, $sent) = @_;

    $posts{$id} = { sent => $sent, answered => time, comments => {},
        changes => 0, spans => [] };
    push @alive, $id;
}

add_post($_, time) for $t->seed(100);


# --- the clients that change things

my (@faults, %seen);

# skewed: some posts change all the time, most hardly ever

sub some_post { $alive[ @alive * rand() ** 3 ] }

sub some_comment {
    my ($post) = @_;
    my @ids = sort keys %{ $post->{comments} };
    return $ids[ rand @ids ];
}


sub operate {
    my ($c) = @_;

    my $dice = rand;
    my $id = some_post();
    my $post = $posts{$id};
    my $comment = some_comment($post);
    my %op = (post => $post, id => $id, span => [time, undef]);

    if ($dice < 0.02) {
        @op{qw(kind method path)} = ('create post', 'POST', 'posts');
        delete $op{post};

    } elsif ($dice < 0.03 && @alive > 50) {
        @op{qw(kind method path)} = ('delete post', 'DELETE', "posts/$id");

    } elsif ($dice < 0.4 && $comment) {
        @op{qw(kind method path comment)} = ('delete comment', 'DELETE',
            "posts/$id/comments/$comment", $comment);

    } else {
        @op{qw(kind method path json)} = ('create comment', 'POST',
            "posts/$id/comments", { author => 'ben', body => 'b' . rand });
    }

    push @{ $op{post}{spans} }, $op{span} if $op{post};
    $c->{op} = \%op;
    $c->send(request_of(\%op));
}


sub request_of {
    my ($op) = @_;

    if ($op->{kind} eq 'create post') {
        my ($type, $body) = Imagegram::Body::multipart(author => 'ann',
            body => 'b', image => Imagegram::Image::png(2, 2));

        return $t->prepare('POST', 'posts', body => $body,
            headers => ['Content-Type' => $type]);
    }

    return $t->prepare($op->{method}, $op->{path},
        $op->{json} ? (json => $op->{json}) : ());
}


# What the answer means to the model.  Only a post or comment that somebody
# else deletes meanwhile may be missing.

my %status = ('create post' => 201, 'create comment' => 201,
    'delete post' => 204, 'delete comment' => 200);

sub learn {
    my ($op, $r) = @_;

    my ($post, $kind) = @$op{qw(post kind)};

    $op->{span}[1] = time;
    $seen{"$kind $r->{status}"}++;

    if ($r->{status} != $status{$kind}) {
        push @faults, "$kind: $r->{status} $r->{body}"
            if $r->{status} != 404 || $kind eq 'create post';
        return;
    }

    if ($kind eq 'create post') {
        add_post($r->{json}{PostID}, $op->{span}[0]);

    } elsif ($kind eq 'create comment') {
        $post->{comments}{ $r->{json}{CommentID} }
            = { sent => $op->{span}[0], answered => time, json => $r->{json} };
        $post->{changes}++;

    } elsif ($kind eq 'delete comment') {
        push @faults, "comment deleted twice"
            if $post->{deleted}{ $op->{comment} }++;
        delete $post->{comments}{ $op->{comment} };
        $post->{changes}++;

    } else {
        push @faults, "post deleted twice" if $post->{gone}++;
        @alive = grep { $_ ne $op->{id} } @alive;
    }
}


# --- the client that walks the feed meanwhile

my $walks = 0;

sub begin_walk {
    my ($c) = @_;

    $c->{walk} = { start => time, limit => 3 + int rand 20, met => {} };
    next_page($c, '');
}


sub next_page {
    my ($c, $cursor) = @_;

    $c->send($t->prepare('GET', "posts?limit=$c->{walk}{limit}"
        . ($cursor && "&nextPage=$cursor")));
}


sub take_page {
    my ($c, $r) = @_;

    my $walk = $c->{walk};

    if ($r->{status} != 200) {
        push @faults, "a page: $r->{status} $r->{body}";
        return;
    }

    my $above = 2**53;

    for my $post (@{ $r->{json}{posts} }) {
        push @faults, 'a page out of order' if $post->{CommentCount} > $above;
        $above = $post->{CommentCount};
        $walk->{met}{ $post->{PostID} }++;
    }

    return next_page($c, $r->{json}{nextPage}) if $r->{json}{nextPage};

    check_walk($walk);
    begin_walk($c);
}


# A post that was there all the time and did not change is met exactly once.

sub check_walk {
    my ($walk) = @_;

    my $steady = 0;

    for my $id (keys %posts) {
        my $post = $posts{$id};

        next if $post->{answered} > $walk->{start} || $post->{gone};
        next if grep { !defined $_->[1] || $_->[1] > $walk->{start} }
            @{ $post->{spans} };

        $steady++;
        push @faults, "an unchanged post met "
            . ($walk->{met}{$id} // 0) . ' times'
            if ($walk->{met}{$id} // 0) != 1;
    }

    $walks++;
    $seen{steady} += $steady;
}


# --- all of them at once

my @clients = map { $t->connect } 1 .. CLIENTS;
my $walker = $t->connect;
my $left = $operations;

operate($_) for @clients;
begin_walk($walker);

Imagegram::HTTP::run([@clients, $walker], 120, sub {
    my ($c) = @_;

    my $r = $c->response;

    if ($c->{walk}) {
        take_page($c, $r) if $left > 0;
        return;
    }

    learn($c->{op}, $r);
    operate($c) if $left-- > 0;
});

is_deeply(\@faults, [], 'no fault meanwhile');
cmp_ok($walks, '>', 5, "$walks walks, $seen{steady} times a post that did not "
    . 'change');
ok($seen{"$_ $status{$_}"}, "$_: " . ($seen{"$_ $status{$_}"} // 0) . ' times')
    for sort keys %status;


# --- afterwards: the feed is the model

# Newest first, as far as one can tell: nothing above was there before
# something below was sent.

sub newest_first {
    my $earliest = 'inf';

    for (@_) {
        return 0 if $earliest < $_->{sent};
        $earliest = $_->{answered} if $_->{answered} < $earliest;
    }

    return 1;
}


sub is_same {
    my ($one, $other) = map { JSON::PP->new->canonical->encode($_ // {}) } @_;
    return $one eq $other;
}


my ($feed) = $t->walk('posts?limit=37');
my %model = map { $_ => $posts{$_} } @alive;

is_deeply([sort map { $_->{PostID} } @$feed], [sort keys %model],
    'the walk meets every post, once');
is_deeply([map { $_->{CommentCount} } @$feed],
    [sort { $b <=> $a } map { scalar keys %{ $_->{comments} } } values %model],
    'in the order of the counts');

my %ties;

push @{ $ties{ $_->{CommentCount} } }, $model{ $_->{PostID} } for @$feed;
ok(!(grep { !newest_first(@$_) } values %ties), 'then newest first');

@faults = ();

for my $post (@$feed) {
    my $model = $model{ $post->{PostID} };
    my ($comments) = $t->walk("posts/$post->{PostID}/comments?limit=13");
    my @models = map { $model->{comments}{ $_->{CommentID} } } @$comments;
    my @last = @$comments > 2 ? @$comments[0, 1] : @$comments;

    push @faults, "$post->{PostID}: count"
        if $post->{CommentCount} != keys %{ $model->{comments} };
    push @faults, "$post->{PostID}: version"
        if $post->{Version} != $model->{changes};
    push @faults, "$post->{PostID}: comments"
        if @$comments != keys %{ $model->{comments} }
        || grep { !defined } @models;
    push @faults, "$post->{PostID}: order of comments"
        if !newest_first(grep { defined } @models);

    push @faults, "$post->{PostID}: texts"
        if grep { !is_same($comments->[$_], $models[$_]{json}) } 0 .. $#models;
    push @faults, "$post->{PostID}: last comments"
        if join(' ', map { $_->{CommentID} } @{ $post->{LastComments} })
        ne join(' ', map { $_->{CommentID} } @last);
}

is_deeply(\@faults, [], 'counts, versions, comments, last comments');


# --- and so is what Redis holds

sub key { 'imagegram:{0}:' . join '', @_ }

my %score = @{ $t->redis('ZRANGE', key('feed'), 0, -1, 'WITHSCORES') };
my %card = @{ $t->redis('HGETALL', key('cards')) };
my %sequence;

@faults = ();

for my $id (keys %score) {
    my %hash = @{ $t->redis('HGETALL', key('post:', $id)) };
    my $count = int($score{$id} / 2**29);
    my $sequence = $score{$id} % 2**29;

    push @faults, "$id: sequence $sequence"
        if $sequence{$sequence}++ || $sequence < 1
        || $sequence > $t->redis('GET', key('seq'));

    for my $n ($hash{count}, $t->redis('ZCARD', key('comments:', $id)),
        $t->redis('HLEN', key('texts:', $id)))
    {
        push @faults, "$id: $n of $count" if $n != $count;
    }

    push @faults, "$id: card" if ($card{$id} // '')
        !~ /"Version":$hash{version},"Status":"ok","CommentCount":$count,/;
}

is_deeply(\@faults, [], 'scores, counts and cards agree');
is_deeply([sort keys %card], [sort keys %score], 'a card for every post');

my %known = map { $_ => 1 } map { key($_) } qw(feed cards seq),
    map { ("post:$_", "comments:$_", "texts:$_") } keys %model;

is_deeply([grep { !$known{$_} && !/:(?:buried:[^:]+|storages)$/ }
    @{ $t->redis('KEYS', key('*')) }], [],
    'nothing is left of what was deleted');

done_testing();
