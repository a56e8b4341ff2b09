#!/usr/bin/perl

# nginx.conf.example: nginx takes it, and it serves what it promises.  Only
# paths, addresses and the port are changed, and the rate, so that a slow
# machine exceeds it as well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp);
use Imagegram::Image;
use Test::More;


my $text = slurp(Imagegram->top . '/nginx.conf.example');

my %changes = (
    'modules/ngx_http_imagegram_module.so' => '%%MODULE%%',
    '/run/nginx.pid'                       => '%%DIR%%/nginx.pid',
    '/var/log/nginx/'                      => '%%DIR%%/logs/',
    '/etc/nginx/imagegram.htpasswd'        => '%%DIR%%/htpasswd',
    '/var/lib/imagegram'                   => '%%DIR%%/storage',
    'listen 80;'                           => 'listen 127.0.0.1:%%PORT%%;',
    'imagegram_redis 127.0.0.1:6379;'      => 'imagegram_redis %%REDIS%%;',
    'rate=5r/s;'                           => 'rate=1r/m;',
    'imagegram_converters 1'               =>
        'imagegram_converters 1 path=%%CONVERTER%%',
);

for my $from (sort keys %changes) {
    like($text, qr/\Q$from\E/, "the example has $from");
    $text =~ s/\Q$from\E/$changes{$from}/g;
}

my $temporary = join "\n",
    map { "${_}_temp_path %%DIR%%/tmp/$_;" }
    qw(client_body proxy fastcgi uwsgi scgi);

$text =~ s/^http \{/http {\n$temporary/m;
$text =~ s/^user .*;//m if $> != 0;

my $t = Imagegram->new(
    conf     => $text,
    location => '/api/v1/',
    users    => { ann => 'secret' },
);

my ($status, $output) = $t->check_conf;

is($status, 0, 'nginx -t') or diag($output);
unlike($output, qr/\[warn\]/, 'without a warning');

$t->start;

my $image = Imagegram::Image::png(20, 10);
my @fields = (body => 'first light', image => $image);

my $r = $t->form('posts', \@fields);

is($r->{status}, 401, 'nobody cannot post');
like($r->{headers}{'www-authenticate'}, qr/^Basic/, 'and is asked who it is');

$r = $t->form('posts', \@fields, user => 'ann');

is($r->{status}, 201, 'ann posts');
is($r->{json}{Author}, 'ann', 'as ann');

my $id = $r->{json}{PostID};

is($r->{headers}{location}, "/api/v1/posts/$id", 'Location');

my $feed = $t->get('posts');

is($feed->{status}, 200, 'everybody reads');
is($feed->{json}{posts}[0]{PostID}, $id, 'and finds the post');

my $jpeg = $t->get($r->{json}{Image});

is($jpeg->{status}, 200, 'the image is there');
is($jpeg->{headers}{'content-type'}, 'image/jpeg', 'as image/jpeg');
is($jpeg->{headers}{'cache-control'},
    'public, max-age=31536000, immutable', 'to be kept for ever');
is($jpeg->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');

my $info = Imagegram::Image::jpeg_info($jpeg->{body});

is("$info->{width}x$info->{height}", '600x600', 'of 600x600');

is($t->get("/images/../originals/$id.png")->{status}, 404, 'no original');
is($t->get('/')->{status}, 404, 'nothing else is served');

is($t->delete("posts/$id", user => 'ann')->{status}, 204, 'ann deletes');

my @statuses = map { $t->json('posts', {}, user => 'ann')->{status} } 1 .. 40;

ok((grep { $_ == 429 } @statuses), 'who writes too often is told so');
is($t->get('posts')->{status}, 200, 'who reads is not');

done_testing();
