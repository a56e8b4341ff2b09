#!/usr/bin/perl

# What docs/uploads.md tells developers of pages to write works as it is, in
# Chromium, on a page of another site, with a password, and through a
# connection that breaks.  IMAGEGRAM_SEED repeats the cuts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();

use Imagegram qw(alive slurp spew wait_for);
use Imagegram::Clients qw(chromium clients missing);
use Imagegram::Cutter;
use Imagegram::Image;
use Test::More;

use constant SIZE => 1_500_000;


my $missing = missing(qw(page chromium));

plan skip_all => $missing if $missing;

my $seed = $ENV{IMAGEGRAM_SEED} // time % 1_000_000;

diag("IMAGEGRAM_SEED=$seed");

my $t = Imagegram->new(
    workers => 2,
    users   => { ann => 'secret' },
    api     => 'imagegram_allow_origin http://app.test:%%PORT_2%%;',
    servers => 'server {
        listen 127.0.0.1:%%PORT_2%%;
        root %%DIR%%/www;
        types { text/html html; text/javascript js; image/png png; }

        location /result {
            dav_methods PUT;
        }
    }',
);

my $www = $t->dir . '/www';

mkdir $www;
chmod 0777, $www;
$t->start;

my $cutter = Imagegram::Cutter->new(port => $t->port, size => SIZE,
    seed => $seed, inside => 2, heads => 0, end => 'sent reset',
    log => $t->dir . '/cuts');

my ($js, $uppy, @more)
    = slurp($t->top . '/docs/uploads.md') =~ /^```js\n(.*?)^```$/msg;

ok($uppy && !@more, 'two scripts') or die "there are others\n";

# tus-js-client through the cutter, Uppy past it

for ([\$js, $cutter->port], [\$uppy, $t->port]) {
    my ($script, $port) = @$_;

    $$script =~ s{https://example\.org/api/v1/}{http://127.0.0.1:$port/}
        or die "no endpoint\n";
}

spew("$www/tus.mjs", $js);
spew("$www/uppy.mjs", $uppy);
spew("$www/main.mjs", <<'END');
import { uploadPhoto } from './tus.mjs';
import { createUppy } from './uppy.mjs';

const headers = { Authorization: `Basic ${btoa('ann:secret')}` };
const metadata = { body: 'first light' };
const type = 'image/png';

async function steps() {
  const image = await (await fetch('image.png')).blob();
  const photo = new File([image], 'a.png', { type, lastModified: 1 });
  const text = new File(['not at all an image'], 'b.png', { type });
  const upload = (file, more) =>
    uploadPhoto(file, { metadata, headers, ...more }).catch((error) =>
      error.originalResponse?.getBody() ?? String(error));

  return {
    first: await upload(photo),
    again: await upload(photo),
    text: await upload(text),
    nobody: await upload(photo, { headers: {} }),
    uppy: await uppy(photo),
    uppyAgain: await uppy(photo),
    uppyText: await uppy(text),
  };
}

function uppy(data) {
  return new Promise((resolve) => {
    const instance = createUppy({
      metadata,
      headers,
      onPost: (file, post) => resolve(post),
      onProblem: (file, problem) => resolve(problem),
    });

    instance.addFile({ name: data.name, type, data });
    instance.upload();
  });
}

fetch('result', {
  method: 'PUT',
  body: JSON.stringify(await steps().catch((e) => ({ error: String(e) }))),
});
END

Imagegram::Image::big_png("$www/image.png", SIZE);
spew("$www/page.html", "<!doctype html><title>x</title>\n"
    . '<script src="page.js" type="module"></script>');

my $esbuild = clients() . '/node_modules/.bin/esbuild';

is(system("NODE_PATH=@{[ clients() ]}/node_modules $esbuild"
    . " --log-level=warning --bundle --format=esm"
    . " --outfile=$www/page.js $www/main.mjs"), 0, 'they make a page');

my $pid = chromium($t, 'http://app.test:' . $t->port(2) . '/page.html');

wait_for(sub { -s "$www/result" || !alive($pid) }, 120);
kill 'TERM', $pid;
wait_for(sub { !alive($pid) }, 30) or kill 'KILL', $pid;

my $said = eval { JSON::PP->new->utf8->decode(slurp("$www/result")) }
    or die slurp($t->dir . '/logs/browser'), "\n";
my @cuts = grep { $_->{method} eq 'PATCH' } $cutter->stop;

ok(!$said->{error}, 'they run') or diag($said->{error});
is(scalar @cuts, 3, 'the first upload was cut')
    or diag(explain(\@cuts));


# --- posts

my %posts;

for my $name (qw(first again uppy uppyAgain)) {
    my ($id) = ($said->{$name} // '') =~ m{^http://127\.0\.0\.1:\d+/posts/(.*)};

    ok($id, "$name: the URL of a post") or diag($said->{$name}), next;

    my $post = $t->get("posts/$id")->{json};
    my ($original) = grep { /$id/ } $t->files('originals');

    is($post->{Author}, 'ann', 'its author');
    is($post->{Body}, 'first light', 'its text');
    ok(slurp($t->storage . '/' . ($original // 'none'))
        eq slurp("$www/image.png"), 'its original');
    $posts{$id} = 1;
}

is(scalar keys %posts, 4, 'the same photo again is another post');
is(scalar @{ $t->get('posts')->{json}{posts} }, 4, 'and there are no more');


# --- refusals

for my $name (qw(text uppyText)) {
    my $problem = eval { JSON::PP->new->utf8->decode($said->{$name}) };

    is($problem->{status}, 415, "$name: the problem document")
        or diag($said->{$name});
}

is(eval { JSON::PP->new->utf8->decode($said->{nobody})->{status} }, 401,
    'nobody') or diag($said->{nobody});

done_testing();
