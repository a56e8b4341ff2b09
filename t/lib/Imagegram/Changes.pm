package Imagegram::Changes;

# Each change that clients or the server itself make, for Imagegram::Crash,
# which kills somebody in the midst of it.  Of each there is
#
#   stage    what must be there before, in peace
#   act      begins it; gives the connection on which an answer is waited for
#   done     where there is none: whether it has come to its end
#   settle   after the recovery: what a client would do next, what is known from
#            then on, and what became of the change: "acknowledged", "complete"
#            (nobody was told) or "absent"; what must not be is a fault()
#
# All get the crash, whose members t and tag (a text that is in no other round)
# they use, and keep their own in it: upload, answer ...

use strict;
use warnings;

use Exporter 'import';

use Imagegram::Changes::Posts ();
use Imagegram::Changes::Uploads ();

our @EXPORT_OK = qw(%changes);
our %changes = (%Imagegram::Changes::Posts::changes,
    %Imagegram::Changes::Uploads::changes);


1;
