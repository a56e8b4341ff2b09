#!/usr/bin/perl

# tus-js-client and Uppy in Chromium, on a page of another site: one that is
# allowed to come, and one that is not.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy qw(copy);
use JSON::PP ();

use Imagegram qw(alive slurp wait_for);
use Imagegram::Clients qw(chromium clients missing);
use Imagegram::Image;
use Test::More;

use constant SIZE => 1_500_000;


my $missing = missing(qw(page chromium));

plan skip_all => $missing if $missing;

# the API is on 127.0.0.1; names that only this browser knows are other sites

my $t = Imagegram->new(
    workers => 2,
    api     => 'imagegram_allow_origin http://app.test:%%PORT_2%%;',
    servers => 'server {
        listen 127.0.0.1:%%PORT_2%%;
        root %%DIR%%/www;
        types { text/html html; text/javascript js; image/png png; }

        location /result/ {
            dav_methods PUT;
        }
    }',
);

my $www = $t->dir . '/www';

mkdir $_ for $www, "$www/result";
chmod 0777, "$www/result";
copy($_, $www) or die "$_: $!\n"
    for $t->top . '/t/tus/page.html', clients() . '/page.js';
Imagegram::Image::big_png("$www/image.png", SIZE);
$t->start;


# Opens a page, and the next one behind it; gives what both have found

sub browse {
    my ($first, $second) = @_;

    my $query = '?api=http://127.0.0.1:' . $t->port . '/';
    my ($url, $next) = map { "http://$_:" . $t->port(2) . "/page.html$query" }
        $first, $second;

    $next =~ s/([?&:])/sprintf '%%%02X', ord $1/ge;

    my $pid = chromium($t, "$url&next=$next");

    my @found = map {
        my $file = "$www/result/$_.json";

        wait_for(sub { -s $file || !alive($pid) }, 300);
        eval { JSON::PP->new->utf8->decode(slurp($file)) };
    } $first, $second;

    kill 'TERM', $pid;
    wait_for(sub { !alive($pid) }, 30) or kill 'KILL', $pid;

    return @found;
}

my ($allowed, $refused) = browse('app.test', 'evil.test');

ok($allowed && $allowed->{uppy}, 'a page of an allowed origin')
    or die $allowed->{error} // slurp($t->dir . '/logs/browser'), "\n";


# The ID in the URL of an upload

sub id {
    my ($step) = @_;
    return ($step->{upload} // '') =~ m{/uploads/([0-9a-f-]{36})\z} ? $1 : '';
}

sub last_of { $_[0]{answers}[-1] }

sub made_post {
    my ($id, $location, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $post = $t->get("posts/$id")->{json};
    my ($original) = grep { /$id/ } $t->files('originals');

    is($location, "/posts/$id", "$name: the page sees Content-Location");
    is($post->{Author}, 'Ünsal', 'the author');
    is($post->{Body}, 'from the browser', 'the body');
    ok(slurp($t->storage . '/' . ($original // 'none'))
        eq slurp("$www/image.png"), 'the original');
}


# --- left in the middle and taken up again

my ($paused, $resumed, $again) = @$allowed{qw(paused resumed again)};
my ($created, @patched) = @{ $paused->{answers} };

ok($paused->{paused}, 'an upload is left in the middle')
    or diag(explain($paused));
is($created->{method}, 'POST', 'POST');
is($created->{status}, 201, 'made it');
is($created->{Location}, '/uploads/' . id($paused),
    'the page sees Location');
is_deeply([map { $_->{'Upload-Offset'} } @patched], [300_000, 600_000],
    'and Upload-Offset');
is(scalar(grep { ($_->{'Upload-Expires'} // '') =~ / GMT$/ } $created,
    @patched), 3, 'and Upload-Expires');
is(scalar(grep { ($_->{'Tus-Resumable'} // '') eq '1.0.0' } $created,
    @patched), 3, 'and Tus-Resumable');

my $head = $resumed->{answers}[0];

ok($resumed->{success}, 'it is taken up again') or diag(explain($resumed));
is($head->{method}, 'HEAD', 'HEAD');
is($head->{'Upload-Offset'}, 600_000, 'tells where it was');
is($head->{'Upload-Length'}, SIZE, 'and of how many');
is(id($resumed), id($paused), 'the same upload');
is(scalar @{ $resumed->{answers} }, 4, 'three chunks more');
made_post(id($resumed), last_of($resumed)->{'Content-Location'}, 'resumed');

ok($again->{success}, 'and again') or diag(explain($again));
is(scalar @{ $again->{answers} }, 1, 'there is nothing more to do');
is(last_of($again)->{'Content-Location'}, '/posts/' . id($paused),
    'HEAD names the post');


# --- other ways

my $creating = $allowed->{creating};

ok($creating->{success}, 'with bytes in the creation, and POST for PATCH')
    or diag(explain($creating));
is_deeply([map { $_->{method} } @{ $creating->{answers} }], [('POST') x 5],
    'POST, five times');
made_post(id($creating), last_of($creating)->{'Content-Location'}, 'creating');

my $terminated = $allowed->{terminated};

ok($terminated->{paused}, 'an upload is terminated')
    or diag(explain($terminated));
is(last_of($terminated)->{method}, 'DELETE', 'DELETE');
is(last_of($terminated)->{status}, 204, 'works');

my $text = $allowed->{text};

ok($text->{error}, 'what is no image is refused');
is(last_of($text)->{status}, 415, 'the page sees the status');
is(eval { JSON::PP->new->utf8->decode($text->{body})->{status} }, 415,
    'and the problem');

my ($by_uppy) = @{ $allowed->{uppy}{successful} };

is_deeply($allowed->{uppy}{failed}, [], 'Uppy uploads');
made_post(id($by_uppy), $by_uppy->{post}, 'Uppy');


# --- an origin that is not allowed

ok($refused && $refused->{uppy}, 'a page of another origin')
    or diag(explain($refused));

for my $name (qw(paused creating text)) {
    my $step = $refused->{$name};

    ok($step->{error}, "$name fails") or diag(explain($step));
    is_deeply($step->{answers}, [], 'no answer is seen');
}

is(scalar @{ $refused->{uppy}{failed} // [] }, 1, 'Uppy fails');


# --- what is left

is(scalar @{ $t->get('posts')->{json}{posts} }, 3, 'three posts');
is_deeply([$t->files('uploads', 'tmp')],
    [sort map { 'uploads/' . id($_) . '.info' } $resumed, $creating, $by_uppy],
    'and the records of their uploads');

done_testing();
