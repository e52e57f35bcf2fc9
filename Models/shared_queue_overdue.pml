/* shared_queue_overdue: giving back what a receiver has had for too long (decision 0007).
 *
 * One slot: its word (generation, deliveries, who has it) and the word of when its message was taken (time, and the tag of a delivery).  Two receivers, TAKES deliveries in all: each looks at the slot, loads the time's
 * word, takes the slot by compare-exchange, reads the clock, and puts time and tag by compare-exchange from what it had loaded; then it acknowledges (and the slot is filled anew, in one step), gives back, or has it for
 * ever.  It may stop for ever before each of these.  LOOKERS look LOOKS times for what is overdue: clock, slot, time's word; if the tag is another delivery's, the clock again, and the present and the right tag by
 * compare-exchange; if the time is up, the slot is given back by compare-exchange.  Anybody may be late by any time before any statement.  The clock goes to TIMES.
 *
 * Abstract here: everything else of the queue (shared_queue); one who dies is as one that gives back; there are as many tags as deliveries.
 *
 *   bounds        TAKES, LOOKS, LOOKERS (1 or 2), TIMES, WITHIN (the time to acknowledge)
 *   -DPLAINNOTE   who takes puts the time by a store                                    -> must hold: what a late one spoils the next look mends
 *
 * What must hold: nobody loses a message before it has had it for WITHIN.  When nothing moves any more, two looks, each WITHIN after what was before, take it back from whoever has it.
 *
 * Seeded mistakes, each must be caught:
 *   -DDELIVERYTAG   the tag is the delivery's number only (it was so)
 *   -DNOTENOTHING   who looks and finds another's tag leaves it (it was so)
 *   -DOLDCLOCK      and if not, puts the time there at which its look began
 */
#ifndef TAKES
#define TAKES 2
#endif
#ifndef LOOKERS
#define LOOKERS 1
#endif
#ifndef LOOKS
#define LOOKS 2
#endif
#ifndef TIMES
#define TIMES 3
#endif
#ifndef WITHIN
#define WITHIN 2
#endif

/* the slot: generation, deliveries, receiver + 1, or 0 if it waits */
#define SLOT(g,d,r) (((g)<<5)|((d)<<2)|(r))
#define WHO(s) ((s)&3)
#define DELIVERIES(s) (((s)>>2)&7)
#define GENERATION(s) ((s)>>5)
#ifdef DELIVERYTAG
#define TAG(s) DELIVERIES(s)
#else
#define TAG(s) ((s)>>2)
#endif
#define NOTE(t,s) (((t)<<7)|TAG(s))
#define TAGOF(n) ((n)&127)
#define TIMEOF(n) ((n)>>7)
#define TAKEN(s,r) SLOT(GENERATION(s),DELIVERIES(s)+1,(r)+1)
#define GIVEN(s) SLOT(GENERATION(s),DELIVERIES(s),0)
#define FILLED(s) SLOT(GENERATION(s)+1,0,0)

short slot=SLOT(1,0,0), note;
byte now, takes;
byte since;                            /* ghost: when the slot was last taken */

active proctype Clock() { do :: now<TIMES -> now++ :: else -> break od }

proctype Receiver(byte me) {
  short seen, before; byte t;
  do
  :: d_step { takes<TAKES && WHO(slot)==0 -> seen=slot };
     before=note;
     if
     :: d_step { slot==seen && takes<TAKES -> seen=TAKEN(slot,me); slot=seen; takes++; since=now };
        if :: t=now :: break fi;         /* stopped for ever before it could say so */
#ifdef PLAINNOTE
        d_step { note=NOTE(t,seen); before=0; t=0 };
#else
        d_step { if :: note==before -> note=NOTE(t,seen) :: else fi; before=0; t=0 };
#endif
        if
        :: d_step { if :: slot==seen -> slot=FILLED(seen) :: else fi; seen=0 }
        :: d_step { if :: slot==seen -> slot=GIVEN(seen) :: else fi; seen=0 }
        :: break                       /* has it for ever, or has lost it */
        fi
     :: d_step { slot!=seen || takes==TAKES -> seen=0; before=0 }
     :: break
     fi
  :: break
  od;
  skip;
  d_step { seen=0; before=0; t=0 }
}
inline look() {
  t=now;
  seen=slot;
  if
  :: WHO(seen)!=0 ->
     n=note;
     if
     :: TAGOF(n)!=TAG(seen) ->
#ifndef NOTENOTHING
#ifndef OLDCLOCK
        t=now;
#endif
        d_step { if :: note==n -> note=NOTE(t,seen) :: else fi }
#else
        skip
#endif
     :: else ->
        if
        :: TIMEOF(n)+WITHIN<=t -> d_step { if :: slot==seen -> assert(now-since>=WITHIN); slot=GIVEN(seen) :: else fi }
        :: else
        fi
     fi
  :: else
  fi;
  d_step { seen=0; n=0; t=0 }
}
proctype Looker() {
  short seen, n; byte t, looks;
  do
  :: looks<LOOKS -> looks++; look()
  :: break
  od
}
/* when nobody moves any more */
proctype Judge() {
  short seen, n; byte t;
  timeout;
  now=now+WITHIN; look();
  now=now+WITHIN; look();
  assert(WHO(slot)==0)
}
init { atomic { run Receiver(0); run Receiver(1); run Looker(); if :: LOOKERS==2 -> run Looker() :: else fi; run Judge() } }
