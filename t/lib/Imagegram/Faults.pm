package Imagegram::Faults;

# What is said of requests while something is wrong with Redis, and of what
# follows.  A page is the body of GET posts?limit=100.

use strict;
use warnings;

use Exporter 'import';
use Test::More ();
use Time::HiRes qw(time);

use Imagegram ();
use Imagegram::Assert ();

our @EXPORT = qw(page comment is_refused well_within_a_second);


sub page { $_[0]->get('posts?limit=100')->{body} }

sub comment {
    my ($t, $post, $text) = @_;

    return $t->json("posts/$post/comments",
        { author => 'ann', body => $text // 'wow' });
}


# With imagegram_redis's timeout of a second

sub is_refused {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Imagegram::Assert::is_problem($r, 503, $name);
    Test::More::cmp_ok($r->{time}, '<', 3, 'in time');
}


# Each of many requests gets this page, and its first post, which no cache has:
# so each worker is well.  What is promised is a second from when Redis is back,
# which is now, or was then; the rest is for a slow machine.

sub well_within_a_second {
    my ($t, $page, $name, $since) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $since //= time;

    my ($id) = $page =~ /"PostID":"(.*?)"/;

    my $well = sub {
        return !grep { page($t) ne $page
            || $t->get("posts/$id")->{status} != 200 } 1 .. 20;
    };

    Test::More::ok(Imagegram::wait_for($well, 20), "$name: well");

    my $seconds = time - $since;

    Test::More::cmp_ok($seconds, '<', 2.5, sprintf 'after %.2f s', $seconds);
}


1;
