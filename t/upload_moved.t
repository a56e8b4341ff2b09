#!/usr/bin/perl

# Uploads that are complete, but no posts yet, while the configuration changes:
# they become posts where those of their location are now, or wait for it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Storage qw(age swept_twice);
use Imagegram::Tus;
use Test::More;


my $png = Imagegram::Image::png(8, 8);
my $t = Imagegram->new(location => '/old/',
    # a zone is for the posts of one owner
    settings => { redis => undef, sweep => '100ms', cache => 'off' },
    server   => 'imagegram_redis %%REDIS%%;')->start;

# other names of the same Redis
my @names = map { $t->dir . "/redis/$_.sock" } 1 .. 3;
symlink $t->redis_socket, $_ for @names;
$t->expect_log(qr/connect\(\) to unix:\S+ failed \((?:2|111): /);

# One whose bytes are all there while no post can be made

sub complete {
    my $u = Imagegram::Tus->create($t, $png);

    $t->stop_redis;
    is_problem($u->patch(0, $png), 503, 'a complete upload, but no post');

    return $u;
}

# Once its Redis is there, which a location has now that is asked; for the
# upload only then, since to ask for it would make the post

sub becomes_post {
    my ($u, $location, $name) = @_;

    my $moved = Imagegram::Tus->new($t, "${location}uploads/" . $u->id);

    $t->start_redis unless $t->redis_pid;

    my $post = "${location}posts/" . $u->id;

    ok(wait_for(sub { $t->get($post)->{status} == 200 }, 60),
        "$name: it is a post");
    is($moved->post, $post, 'of that location');
}

sub waits {
    my ($u, $location, $owner, $name) = @_;

    my $line = 'imagegram: upload ' . $u->id . ' is complete, but there is no'
        . " location any more for posts of \"$owner\"";

    $t->start_redis;
    age($t, 30, map { "uploads/$_" } $u->id, $u->id . '.info');
    ok(wait_for(sub { index($t->log, $line) >= 0 }, 60), "$name: said");
    swept_twice($t);
    is((() = grep { /@{[ $u->id ]}/ } $t->files('uploads')), 2,
        'it stays, however old it is');
    is($t->get("${location}posts/" . $u->id)->{status}, 404, 'and is no post');
    is(Imagegram::Tus->new($t, "${location}uploads/" . $u->id)->head->{status},
        404, 'and no upload there');
}


# another path

my $upload = complete();

$t->replace_workers(location => '/new/');
becomes_post($upload, '/new/', 'another path');

# one of several

$upload = complete();
$t->replace_workers(server => $t->{server} . 'location /more/ { imagegram; }
    location /other/ { imagegram; imagegram_key_prefix other; }');
becomes_post($upload, '/new/', 'its own path beside others');

# another address, or name, of its Redis

$upload = complete();
$t->replace_workers(server => "imagegram_redis unix:$names[0];");
becomes_post($upload, '/new/', 'another address');

# two of them: nobody can tell which is meant

$upload = complete();
$t->replace_workers(server => "imagegram_redis unix:$names[1];
    location /more/ { imagegram; imagegram_redis unix:$names[2]; }");
waits($upload, '/new/', "unix:$names[0] 0 imagegram", 'two other addresses');
$t->replace_workers(server => "imagegram_redis unix:$names[0];");
becomes_post($upload, '/new/', 'its address again');

# other posts

$upload = complete();
$t->replace_workers(server => "imagegram_redis unix:$names[0];
    imagegram_key_prefix other;");
waits($upload, '/new/', "unix:$names[0] 0 imagegram", 'another prefix');
$t->replace_workers(server => "imagegram_redis unix:$names[0];");
becomes_post($upload, '/new/', 'its prefix again');

done_testing();
