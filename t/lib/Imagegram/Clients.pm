package Imagegram::Clients;

# The real clients that some tests drive: tus-js-client in Node and Uppy, which
# "make clients" puts into build/tus, Debian's python3-tuspy and chromium.
#
#   plan skip_all => $reason if $reason = missing(qw(node tuspy));
#   my $client = begin($t, 'upload.cjs', { endpoint => ... });
#   my $said = $client->();         # waits; dies where the client failed

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use File::Basename ();
use JSON::PP ();

use Imagegram::Process qw(alive spawn slurp wait_for);

our @EXPORT_OK = qw(begin chromium clients missing);

my $top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
my $count = 0;

# Debian's own interpreter has Debian's packages
my %interpreter = (cjs => 'node', py => '/usr/bin/python3');


sub clients { "$top/build/tus" }


# What of these is not there, in words, or undef: node, page (what is made for
# a browser), tuspy, chromium

sub missing {
    my (@wanted) = @_;

    my %found = (
        node     => -d clients() . '/node_modules/tus-js-client',
        page     => -f clients() . '/page.js',
        tuspy    => -d '/usr/lib/python3/dist-packages/tusclient',
        chromium => -x '/usr/bin/chromium',
    );
    my %reason = (
        node     => 'no tus-js-client (make clients)',
        page     => 'no page for the browser (make clients)',
        tuspy    => 'no tuspy (package python3-tuspy)',
        chromium => 'no chromium (package chromium)',
    );

    my @missing = map { $reason{$_} } grep { !$found{$_} } @wanted;

    return @missing ? join ', ', @missing : undef;
}


# Starts a command with variables in front, which ends with the test at the
# latest; gives its pid.

sub run {
    my ($log, $variables, @command) = @_;
    return spawn("$variables setpriv --pdeathsig TERM @command", $log);
}


# Starts a browser on a page; gives its pid.  All names below .test are this
# machine.

sub chromium {
    my ($t, $url) = @_;

    # it writes not only to its profile
    my $dir = $t->dir . '/browser';

    mkdir $dir;

    return run($t->dir . '/logs/browser',
        "HOME=$dir TMPDIR=$dir XDG_CONFIG_HOME=$dir XDG_CACHE_HOME=$dir",
        '/usr/bin/chromium', '--headless', '--no-sandbox', '--disable-gpu',
        '--disable-quic', '--disable-dev-shm-usage', '--disable-breakpad',
        '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--no-first-run', '--no-proxy-server',
        "--user-data-dir=$dir/profile",
        "'--host-resolver-rules=MAP *.test 127.0.0.1'", "'$url'");
}


# Starts a script of t/tus with options; gives what waits for it, and gives
# what it printed, decoded.

sub begin {
    my ($t, $script, $options) = @_;

    my ($suffix) = $script =~ /\.(\w+)$/;
    my $json = JSON::PP->new->canonical->ascii->encode($options);
    my $log = $t->dir . '/client-' . ++$count;

    die "no quotes in options: $json\n" if $json =~ /'/;

    # requests to this machine are for no proxy
    my $pid = run($log, "NO_PROXY='*' NODE_PATH=" . clients() . '/node_modules',
        $interpreter{$suffix}, "$top/t/tus/$script", "'$json'");

    return sub {
        wait_for(sub { !alive($pid) }, 300) or kill 'KILL', $pid;

        my ($said) = slurp($log) =~ /^(\{.*\})\s*\z/m
            or die "$script:\n", slurp($log), "\n";

        return JSON::PP->new->utf8->decode($said);
    };
}


1;
