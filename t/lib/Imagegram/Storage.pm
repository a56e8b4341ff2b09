package Imagegram::Storage;

# Files in a storage as if they had been there for a while, and the sweeper
# that finds them.

use strict;
use warnings;

use Exporter 'import';
use File::Basename ();
use File::Path ();

use Imagegram::Process qw(slurp spew wait_for);

our @EXPORT_OK = qw(age complete_uploads id number owner plant shard storage_id
    swept_twice);


# a random PostID

sub id {
    return sprintf '%04x%04x-%04x-4%03x-8%03x-%04x%04x%04x',
        map { int rand $_ } (65536) x 3, (4096) x 2, (65536) x 3;
}

# where a post's file lies

sub shard {
    my ($folder, $id, $suffix) = @_;
    return join '/', $folder, substr($id, 0, 2), substr($id, 2, 2),
        "$id.$suffix";
}


# Makes a file that was written so many days ago, below the storage of $t; gives
# its path.

sub plant {
    my ($t, $path, $days, $content) = @_;

    my $file = $t->storage . "/$path";

    File::Path::make_path(File::Basename::dirname($file), owner($t));
    spew($file, $content // "$path\n");
    chown((stat $t->storage)[4, 5], $file);
    age($t, $days, $path);

    return $path;
}

sub owner {
    my ($t) = @_;

    my ($uid, $gid) = (stat $t->storage)[4, 5];

    return { mode => 0750, $> == 0 ? (uid => $uid, group => $gid) : () };
}


# What was written so many days ago

sub age {
    my ($t, $days, @paths) = @_;

    my $time = time - int $days * 86400;

    utime $time, $time, map { $t->storage . "/$_" } @paths;
}


# The sweeper has gone through the whole storage since this was called, whether
# or not it trusts Redis: what is in tmp/ it always removes.

sub swept_twice {
    my ($t) = @_;

    for (1 .. 3) {
        my $marker = $t->storage . '/' . plant($t, 'tmp/' . id() . '.body', 2);

        wait_for(sub { !-e $marker }, 60) or die "not swept:\n", $t->log(20);
    }

    return 1;
}


# Uploads with all their bytes that are no posts yet: as their records say,
# which begin with magic, state, epoch, length, and from where bytes wait for
# their checksum or -1

sub complete_uploads {
    my ($t) = @_;

    return grep {
        my $file = $t->storage . "/$_";
        my (undef, $state, undef, $length, $unproven)
            = unpack 'LLQqq', slurp("$file.info");

        !/\.info\z/ && defined $unproven && $state == 0 && $unproven == -1
            && -e $file && -s $file == $length;
    } $t->files('uploads');
}


sub storage_id { slurp($_[0]->storage . '/id') =~ s/\n\z//r }

# which the last sweep has, that Redis knows of

sub number { slurp($_[0]->storage . '/sweep.lock') =~ s/\n\z//r }


1;
