#!/usr/bin/perl

# A Redis that lets nginx not subscribe, or not publish: nothing comes from the
# cache then, or nothing is changed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Imagegram qw(wait_for);
use Imagegram::Assert;


my $t = Imagegram->new(settings => { cache => 'zone=feed:1m' })->start;
my $post = $t->post->{PostID};

sub count { $t->get('posts')->{json}{posts}[0]{CommentCount} }

sub log_lines { scalar(() = $t->log =~ /answered "$_[0]/g) }

ok($t->caches('posts'), 'pages come from the cache');
$t->comment($post);
is(count(), 1, 'what changes is seen');

$t->redis(qw(ACL SETUSER default -subscribe));
$t->redis(qw(CLIENT KILL TYPE pubsub));
ok(wait_for(sub { log_lines('NOPERM') }, 30), 'no subscription');

my $before = $t->scripts;

for my $n (2 .. 4) {
    $t->comment($post);
    is(count(), $n, 'what changes is seen');
}

cmp_ok($t->scripts, '>=', $before + 6, 'as Redis is asked for each page');

my $lines = log_lines('NOPERM');

sleep 2;
cmp_ok(log_lines('NOPERM') - $lines, '<=', 2,
    'that it is refused is not said all the time');
$t->redis(qw(ACL SETUSER default +subscribe));
ok($t->caches('posts'), 'pages come from the cache');

# whoever may not publish must not change anything that is cached

$t->redis(qw(ACL SETUSER default -publish));
is_problem($t->json("posts/$post/comments", { author => 'a', body => 'b' }),
    503, 'no publication, and no comment');
is(count(), 4, 'it is not there');
is($t->get("posts/$post")->{json}{CommentCount}, 4, 'nor in the post');
ok(wait_for(sub { log_lines('NOPERM.*publish') >= 2 }, 30), 'which is said');
$lines = log_lines('NOPERM');
sleep 2;
cmp_ok(log_lines('NOPERM') - $lines, '<=', 2, 'not all the time');
$t->redis(qw(ACL SETUSER default +publish));
ok($t->caches('posts'), 'pages come from the cache');
$t->comment($post);
is(count(), 5, 'what changes is seen');

done_testing();
