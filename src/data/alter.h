/*
 * Altered crops: rotation, size, tones, noise and the like, so that a network sees more than the
 * training scenes hold. How much is drawn anew for each sample, as a function of (seed, index)
 * alone. All [local].
 */
#ifndef SG_DATA_ALTER_H
#define SG_DATA_ALTER_H

#include "data/blur.h"

/* Tones are in deviations of a band, as all is done after normalisation; all zeros, with sizes of
 * 1, alter nothing. */
typedef struct {
    double chance;       /* 0 .. 1: that one kind is applied to one sample */
    double rotate;       /* 0 .. 180 degrees, at most so many either way */
    double least, most;  /* sizes of things, 1 being their own; even in the logarithm */
    double brightness;   /* at most so much is added or taken away */
    double contrast;     /* 0 .. 0.9: the gain is 1 and at most so much more or less */
    double gamma;        /* logarithm of the exponent, at most so much either way */
    double per_band;     /* 0 .. 1: the share of these three that each band has for its own */
    double blur;         /* sigma of a Gaussian, pixels, at most */
    double noise;        /* deviation of what is added to each value, at most */
    double band_dropout; /* 0 .. 0.9: the chance of a band to be blank; one band always stays */
    double cut_mix;      /* chances, of their own, to receive a rectangle of another crop */
    double paste;        /* or regions of a rare class: data/mix.h */
} sg_alterations;

/* Which sample: draws are functions of these two. */
typedef struct {
    uint64_t seed, index;
} sg_draw;

/* Does a sample receive something of another one? */
bool sg_alter_cuts(const sg_alterations *alter, sg_draw draw);
bool sg_alter_pastes(const sg_alterations *alter, sg_draw draw);

/* Is there anything that they could do? */
bool sg_alter_any(const sg_alterations *alter);

/*
 * Where a crop `window` lies once it is rotated and scaled about its middle. The middle is shifted,
 * as far as that helps, so that the crop does not reach out of `within`. False when it stays as it
 * is.
 */
bool sg_alter_place(const sg_alterations *alter, sg_draw draw, sg_window window, sg_window within,
                    sg_placement *placement);

/*
 * Gamma, contrast, brightness, blur, noise and blank bands, in this order, of normalised pixels
 * (h, w, bands). Invalid pixels stay 0 and take no part in the blur. Gamma bends the tones within 3
 * deviations: t -> t^g for t from 0 to 1 over them; others stay.
 */
sg_err sg_alter_values(const sg_alterations *alter, sg_draw draw, sg_image image,
                       sg_blur_room *room);

#endif
