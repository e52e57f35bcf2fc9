/* notifier: a count that never goes down, its group's changes, and a word on which all listeners sleep (SharedNotifier).
 *
 * Each notifier notifies MSGS times. A listener looks, and sleeps when nothing has come. SIGKILL before any statement of a notifier; its death is announced after
 * that; it is the first notifier that dies or stops, since they are alike. STOPS: it stops before any statement, for ever, and lives. One id, one group: others are like them. Sequentially consistent, as all accesses are. The
 * number in the word is not cut off; that it comes round while somebody is between two statements is left out.
 *
 *   bounds        NOTIFIERS, LISTENERS, MSGS, KILLS, STOPS
 *
 * At the end, when nothing moves: every listener sleeps, and has got all; if somebody is stopped, all that was there when any notification came to its end.
 *
 * Seeded mistakes, each must be caught:
 *   -DMARKLATE      a listener sleeps when it has set the mark, and does not look again
 *   -DCHANGESFIRST  the changes are counted before the count
 *   -DLATECHANGES   a listener reads the changes after the count
 *   -DNODEATHS      listeners sleep on the word alone
 *   -DNOSCAN        a listener does not look at the counts after a death
 *   -DNONUMBER      the mark and the doubt change without the number
 *   -DNODOUBT       the mark is taken away right after waking
 *   -DSLEEPDOUBT    a listener sleeps on a word in doubt
 *   -DUNMARKFIRST   the mark is taken away before waking (only who is stopped there does harm)
 *   -DNOUNMARKCAS   the mark is taken away although the word has changed
 */
#ifndef NOTIFIERS
#define NOTIFIERS 2
#endif
#ifndef LISTENERS
#define LISTENERS 2
#endif
#ifndef MSGS
#define MSGS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef STOPS
#define STOPS 0
#endif
/* the word: bit 0 mark, bit 1 doubt, the number from bit 2 on */
#define MARK(w) ((w)&1)
#define DOUBT(w) (((w)>>1)&1)
#ifdef NONUMBER
#define STEP 0
#else
#define STEP 4
#endif
short word;
byte count, changes, deaths, kills, stops, guaranteed;
byte seen[LISTENERS], got[LISTENERS], told[LISTENERS];
bit  asleep[LISTENERS], onDeaths[LISTENERS];
byte w;                                 /* scratch of atomic steps */
inline wakeAll() { w=0; do :: w<LISTENERS -> asleep[w]=0; w++ :: else -> break od; w=0 }
/* the notifiers are alike: it is the first that dies or stops */
#define DIE if :: _pid==0 && kills<KILLS -> kills++; goto dead :: _pid==0 && stops<STOPS -> stops++; goto stopped :: 1 fi

active [NOTIFIERS] proctype Notifier()
{
  byte n, snap; short s;
  do
  :: n<MSGS -> n++;
#ifdef CHANGESFIRST
     atomic { DIE; changes++; snap=changes }
     atomic { DIE; count++ }
#else
     atomic { DIE; count++ }
     atomic { DIE; changes++; snap=changes }
#endif
     atomic { DIE; s=word }
     if
     :: !MARK(s)
     :: MARK(s) && !DOUBT(s) ->
#ifdef UNMARKFIRST
        atomic { DIE; if :: word==s -> word=(s+4)&~3 :: else fi }
        atomic { DIE; wakeAll() }
#else
        /* one call of the kernel */
        atomic { DIE; word=word+4; wakeAll() }
        atomic { DIE; s=word }
        if
#ifdef NODOUBT
        :: MARK(s) -> atomic { DIE; if :: word==s -> word=(s+4)&~1 :: else fi }
#else
        :: MARK(s) && !DOUBT(s) -> atomic { DIE; if :: word==s -> word=(s+STEP)|2 :: else fi }
#endif
        :: else
        fi
#endif
     :: MARK(s) && DOUBT(s) ->
        atomic { DIE; wakeAll() }
#ifdef NOUNMARKCAS
        atomic { DIE; word=(word+STEP)&~3 }
#else
        atomic { DIE; if :: word==s -> word=(s+STEP)&~3 :: else fi }
#endif
     fi;
     atomic { s=0; if :: snap>guaranteed -> guaranteed=snap :: else fi; snap=0 }
  :: else -> goto stopped
  od;
dead:
  /* a survivor's keeper: the dead's threads have stopped by then */
  atomic { s=0; snap=0; n=0; deaths++; w=0; do :: w<LISTENERS -> if :: onDeaths[w] -> asleep[w]=0 :: else fi; w++ :: else -> break od; w=0 }
stopped: skip
}

active [LISTENERS] proctype Listener()
{
  byte me=_pid-NOTIFIERS, d, c; short s; bit news;
  do
  :: atomic { d=deaths; s=word }
#ifdef LATECHANGES
     atomic { news=(changes!=seen[me] || d!=told[me]); c=count }
     atomic { if :: news -> got[me]=c; seen[me]=changes :: else fi; told[me]=d; c=0 }
#else
     atomic {
       c=changes;
#ifdef NOSCAN
       news=(c!=seen[me]);
#else
       news=(c!=seen[me] || d!=told[me]);
#endif
       seen[me]=c; told[me]=d; c=0
     }
#endif
     if
     :: news -> atomic { news=0; s=0; d=0;
#ifndef LATECHANGES
          got[me]=count
#endif
        }
     :: else ->
        if
#ifdef SLEEPDOUBT
        :: MARK(s) ->
#else
        :: MARK(s) && !DOUBT(s) ->
#endif
sleeping:  atomic {
             if
#ifdef NODEATHS
             :: word==s -> asleep[me]=1
#else
             :: word==s && deaths==d -> asleep[me]=1; onDeaths[me]=1
#endif
             :: else
             fi;
             d=0; s=0
           }
end:       atomic { !asleep[me]; onDeaths[me]=0 }
        :: else -> atomic {
             if
             :: word==s -> word=((s+STEP)|1)&~2;
#ifdef MARKLATE
                s=word; goto sleeping
#endif
             :: else
             fi; s=0; d=0 }
        fi
     fi
  od
}

active proctype Monitor()
{
  byte i;
end: timeout;
  do
  :: i<LISTENERS ->
     assert(asleep[i]);
     assert(seen[i]>=guaranteed);
     assert(stops || got[i]==count);
     i++
  :: else -> break
  od
}
